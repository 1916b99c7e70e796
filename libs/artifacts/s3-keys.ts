/**
 * What is where in the bucket:
 *
 *     uploads/<location>/open          the upload is open; removed when it is closed
 *     uploads/<location>/part-00000 …  each put there by a multipart upload of its own, whole
 *     files/<location>                 the published file, or the tombstone of an aborted key: whichever came first
 *     manifests/<location>/<number>    length and SHA-256 of a file made of several parts, known only at its end
 */
import { isLocation } from './artifact-store.js';

const PART_DIGITS = 5;
const PART_PATTERN = /^part-(\d{5})$/;

export interface S3Keys {
  file(location: string): string;
  readonly files: string;
  upload(location: string): string;
  readonly uploads: string;
  opened(location: string): string;
  part(location: string, part: number): string;
  manifest(location: string, number: string): string;
  manifestsOf(location: string): string;
  readonly manifests: string;
  /** The location an object of ours belongs to; undefined for somebody else's object. */
  locationIn(key: string): string | undefined;
  /** The number of the part an object is. */
  partIn(key: string): number | undefined;
}

/** `prefix` is empty or ends with a slash. */
export function keysUnder(prefix: string): S3Keys {
  const [uploads, files, manifests] = [`${prefix}uploads/`, `${prefix}files/`, `${prefix}manifests/`];
  return {
    files,
    uploads,
    manifests,
    file: (location) => files + location,
    upload: (location) => `${uploads}${location}/`,
    opened: (location) => `${uploads}${location}/open`,
    part: (location, part) => `${uploads}${location}/part-${String(part).padStart(PART_DIGITS, '0')}`,
    manifest: (location, number) => `${manifests}${location}/${number}`,
    manifestsOf: (location) => `${manifests}${location}/`,
    locationIn(key) {
      const folder = [uploads, files, manifests].find((start) => key.startsWith(start));
      const location = folder === undefined ? '' : (key.slice(folder.length).split('/', 1)[0] ?? '');
      return isLocation(location) ? location : undefined;
    },
    partIn(key) {
      const [, digits] = PART_PATTERN.exec(key.slice(key.lastIndexOf('/') + 1)) ?? [];
      return digits === undefined ? undefined : Number(digits);
    },
  };
}
