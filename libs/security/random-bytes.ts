/** Random bytes from the system's generator, fetched many at a time: each fetch is a system call, whatever its size. */
import { randomBytes } from 'node:crypto';

const POOL_BYTES = 8_192;

let pool: Buffer = Buffer.alloc(0);

/** `count` fresh bytes; nobody else gets them, and they are never overwritten. */
export function takeRandomBytes(count: number): Buffer {
  if (count > pool.length) pool = randomBytes(Math.max(POOL_BYTES, count));
  const taken = pool.subarray(0, count);
  pool = pool.subarray(count);
  return taken;
}
