/** Makes one file of decoded pixels. The same pixels and options make the same bytes. */
import sharp, { type Sharp } from 'sharp';
import { unreadable, type Box, type Pixels } from './pixels.js';

export interface RenditionOptions extends Box {
  readonly format: 'avif' | 'webp' | 'jpeg';
  readonly quality?: number | undefined;
  /** `#rrggbb` */
  readonly background: string;
  readonly enlarge: boolean;
}

export interface RenderedFile {
  readonly data: Buffer;
  readonly width: number;
  readonly height: number;
}

interface Encoder {
  readonly contentType: string;
  readonly extension: string;
  readonly hasAlpha: boolean;
  readonly encode: (image: Sharp, quality: number | undefined) => Sharp;
}

/**
 * AVIF at the effort of 2: a quarter of a second for a megapixel of a photograph, three for one of noise; 4 takes three
 * times as long for files 5 % smaller.
 */
export const ENCODERS: Readonly<Record<RenditionOptions['format'], Encoder>> = {
  avif: {
    contentType: 'image/avif',
    extension: 'avif',
    hasAlpha: true,
    encode: (image, quality = 50) => image.avif({ quality, effort: 2 }),
  },
  webp: {
    contentType: 'image/webp',
    extension: 'webp',
    hasAlpha: true,
    encode: (image, quality = 80) => image.webp({ quality, effort: 4 }),
  },
  jpeg: {
    contentType: 'image/jpeg',
    extension: 'jpg',
    hasAlpha: false,
    encode: (image, quality = 80) => image.jpeg({ quality, mozjpeg: true }),
  },
};

/** Throws ImageUnreadable: of a shape that cannot be scaled so, e.g. forty million pixels in one row. */
export async function render(pixels: Pixels, options: RenditionOptions): Promise<RenderedFile> {
  const { data, width, height, channels } = pixels;
  const { background, fit, enlarge } = options;
  const encoder = ENCODERS[options.format];
  const isSeeThrough = encoder.hasAlpha && channels === 4;
  let image = sharp(data, { raw: { width, height, channels }, limitInputPixels: false }).resize({
    ...(options.width === undefined ? {} : { width: options.width }),
    ...(options.height === undefined ? {} : { height: options.height }),
    fit,
    withoutEnlargement: !enlarge,
    background: isSeeThrough ? { r: 0, g: 0, b: 0, alpha: 0 } : background,
  });
  if (!isSeeThrough) image = image.flatten({ background });
  const { data: file, info } = await encoder
    .encode(image, options.quality)
    .toBuffer({ resolveWithObject: true })
    .catch(unreadable);
  return { data: file, width: info.width, height: info.height };
}
