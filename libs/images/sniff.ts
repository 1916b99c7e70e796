/**
 * What an object is, by its first bytes: never by what somebody calls it. Nothing is decoded here; the door that asks
 * holds secrets, and the decoders are for workers.
 */
import { fileTypeFromBuffer } from 'file-type';
import { disableTypes, imageSize, types } from 'image-size';

/** So much of an object tells its type. */
export const TYPE_BYTES = 4_100;
/** So much of it tells its size; a photograph's metadata come before. */
export const HEAD_BYTES_MAX = 1 << 20;

const TAKEN = {
  'image/jpeg': 'jpg',
  'image/png': 'png',
  'image/apng': 'png',
  'image/webp': 'webp',
  'image/gif': 'gif',
  'image/avif': 'heif',
} as const;
const PARSERS: ReadonlySet<string> = new Set(Object.values(TAKEN));
disableTypes(types.filter((type) => !PARSERS.has(type)));

export const TAKEN_NAMES = 'JPEG, PNG, WebP, GIF or AVIF';

/** From here on (EXIF) width and height change places when shown. */
const TURNED_ORIENTATION_MIN = 5;

export interface ImageType {
  readonly contentType: Exclude<keyof typeof TAKEN, 'image/apng'>;
}

/** Pixels as shown: with the orientation that its metadata ask for. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** The type by the first bytes; otherwise what it is instead, in a word for people. */
export async function sniffType(head: Uint8Array): Promise<ImageType | { readonly instead: string }> {
  if (head.length === 0) return { instead: 'empty' };
  const found = await fileTypeFromBuffer(head.subarray(0, TYPE_BYTES));
  const mime = found?.mime ?? '';
  if (mime === 'image/apng') return { contentType: 'image/png' };
  if (mime in TAKEN) return { contentType: mime as ImageType['contentType'] };
  return { instead: isSvg(head) ? 'image/svg+xml' : (found?.mime ?? 'of no known type') };
}

/** Width and height by the header; undefined where it is broken, or longer than `HEAD_BYTES_MAX`. */
export function sniffSize(head: Uint8Array): ImageSize | undefined {
  try {
    const { width, height, orientation = 1 } = imageSize(head);
    if (!(width > 0 && height > 0)) return undefined;
    return orientation >= TURNED_ORIENTATION_MIN ? { width: height, height: width } : { width, height };
  } catch {
    // It is the parsers' way to say that they cannot tell.
    return undefined;
  }
}

/** Said by its name in a refusal only; it is text, and nothing marks its beginning. */
function isSvg(head: Uint8Array): boolean {
  const text = Buffer.from(head.subarray(0, TYPE_BYTES)).toString('latin1').trimStart();
  return text.startsWith('<') && /<svg[\s>]/i.test(text);
}
