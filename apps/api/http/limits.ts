/** What a request may be at most. */

export const BODY_BYTES_MAX = 1_048_576;
/** An uploaded list of recipients. */
export const RECIPIENT_LIST_BYTES_MAX = 33_554_432;
export const JSON_DEPTH_MAX = 64;
/** Path parameters and artifact locations; anything longer is nothing of ours. */
export const PARAM_LENGTH_MAX = 1_024;
/** Node's own default, named here because the answer names it. */
export const HEADER_BYTES_MAX = 16_384;
/** A request that trickles in slower than this is cut off. */
export const REQUEST_TIMEOUT_MS = 30_000;
/** An upload, which is larger, only when nothing comes at all for a while, and in the end: sweepers take what is older for left over. */
export const UPLOAD_SILENCE_MAX_MS = 30_000;
export const UPLOAD_TIMEOUT_MS = 600_000;
/** A refused upload is read so long, so that its sender comes to read why. */
export const UPLOAD_DISCARD_MAX_MS = 30_000;
/** Validation errors named in one answer; beyond them the count is told. */
export const FIELD_ERRORS_MAX = 100;
