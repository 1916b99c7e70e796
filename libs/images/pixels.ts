/**
 * Decodes an image that nobody vouches for, once for all its renditions: no larger than any of them needs, its
 * orientation applied, in sRGB with 8 bits, without any metadata. Decoders run in libuv's threads, so that heartbeats go on.
 */
import sharp from 'sharp';
import { IMAGE_PIXELS_MAX } from './limits.js';

/** Bytes are read once, and never twice the same: a cache would only hold memory. */
sharp.cache(false);
/** One thread an image: how many there are at a time is the worker's to say. Also, the same bytes come out anywhere. */
sharp.concurrency(1);
// What is not asked for is not there to be broken into: SVG, PDF and a dozen more stay closed.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Heif'].map((format) => `VipsForeignLoad${format}`),
});

export const DECODE_SECONDS_MAX = 60;

/** Pixels as they are in memory; `frames` of the source, whose first they are. */
export interface Pixels {
  readonly data: Buffer;
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
  /** Of the source as shown. */
  readonly source: { readonly width: number; readonly height: number; readonly frames: number };
}

/** A rendition's box: a side left out is as the other one makes it. */
export interface Box {
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly fit: 'inside' | 'cover' | 'contain' | 'fill';
}

export type UnreadableCode = 'image_unreadable' | 'image_too_large' | 'image_too_slow';

/** An image that cannot be decoded, or may not; no try mends that. */
export class ImageUnreadable extends Error {
  constructor(
    readonly code: UnreadableCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = 'ImageUnreadable';
  }
}

/** Throws ImageUnreadable. */
export async function decode(bytes: Buffer, boxes: readonly Box[]): Promise<Pixels> {
  if (bytes.length === 0) throw new ImageUnreadable('image_unreadable', 'The image has no bytes.');
  const options = {
    limitInputPixels: IMAGE_PIXELS_MAX,
    // A photograph with a byte too many still is one; half of one is not.
    failOn: 'error',
    sequentialRead: true,
    pages: 1,
  } as const;
  const {
    autoOrient: { width, height },
    pages: frames = 1,
    hasAlpha,
  } = await sharp(bytes, options).metadata().catch(unreadable);
  // Sharp looks at the pixels only when it decodes them; the header is enough to know.
  if (width * height > IMAGE_PIXELS_MAX) throw tooLarge(width, height);
  const scale = Math.min(1, Math.max(...boxes.map((box) => scaleOf(box, { width, height }))));
  const decoded = await sharp(bytes, options)
    .autoOrient()
    .resize({
      width: Math.max(1, Math.round(width * scale)),
      height: Math.max(1, Math.round(height * scale)),
      fit: 'fill',
    })
    .toColourspace('srgb')
    .timeout({ seconds: DECODE_SECONDS_MAX })
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch(unreadable);
  const { info, data } = decoded;
  const channels = hasAlpha ? 4 : 3;
  if (info.channels !== channels) {
    throw new TypeError(`decoded pixels have ${info.channels} channels, not ${channels}`);
  }
  return { data, width: info.width, height: info.height, channels, source: { width, height, frames } };
}

/** By how much the source is scaled for a box; above 1 it is enlarged. */
function scaleOf({ width, height, fit }: Box, source: { width: number; height: number }): number {
  const [across, down] = [(width ?? Infinity) / source.width, (height ?? Infinity) / source.height];
  return fit === 'inside' || fit === 'contain' ? Math.min(across, down) : Math.max(across, down);
}

function tooLarge(width: number, height: number): ImageUnreadable {
  return new ImageUnreadable(
    'image_too_large',
    `The image has ${width} × ${height} pixels; ${IMAGE_PIXELS_MAX} are the most.`,
  );
}

/** Libvips tells by text alone. What is not about the pixels' number or the time is about the bytes. */
export function unreadable(error: unknown): never {
  const text = error instanceof Error ? error.message : String(error);
  const line = text.split('\n', 1)[0]?.slice(0, 200) ?? '';
  if (/pixel limit|too large|exceeds/i.test(line)) {
    throw new ImageUnreadable('image_too_large', `The image is too large: ${line}`, { cause: error });
  }
  if (/^timeout/i.test(line)) {
    throw new ImageUnreadable('image_too_slow', `Decoding took more than ${DECODE_SECONDS_MAX} s.`, {
      cause: error,
    });
  }
  throw new ImageUnreadable('image_unreadable', `The image cannot be decoded: ${line}`, { cause: error });
}
