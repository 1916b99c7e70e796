/** What one image may be, at the door and in the workers. */

/** As many as today's large cameras and telephones have; decoded they are 200 MB. */
export const IMAGE_PIXELS_MAX = 50_000_000;
/** Whatever LONGHAUL_UPLOAD_BYTES_MAX says, a worker reads no more into memory. */
export const IMAGE_BYTES_MAX = 256 * 1024 * 1024;
