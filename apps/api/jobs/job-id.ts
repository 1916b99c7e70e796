/** Ids of new jobs: UUIDv7, each greater than those this process made before. */
import { v7 as uuidv7 } from 'uuid';
import { takeRandomBytes } from '../../../libs/security/random-bytes.js';

const RANDOM_BYTES = 16;
const SEQUENCE_AT = 6;
/** Leaves room for 2^31 more within the same millisecond (RFC 9562, 6.2, method 1). */
const SEQUENCE_MASK = 0x7fffffff;

let lastMs = 0;
let sequence = 0;

export function makeJobId(): string {
  const random = takeRandomBytes(RANDOM_BYTES);
  const now = Date.now();
  if (now > lastMs) {
    lastMs = now;
    sequence = random.readUInt32BE(SEQUENCE_AT) & SEQUENCE_MASK;
  } else {
    sequence += 1;
  }
  return uuidv7({ random, msecs: lastMs, seq: sequence });
}
