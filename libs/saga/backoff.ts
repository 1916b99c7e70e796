/** How long to wait before the next attempt. */
import { toMs } from './duration.js';
import type { RetryPolicy } from './define.js';

/**
 * Exponential backoff with full jitter: uniform over 0…min(most, first × 2^(attempt − 1)) (Brooker, "Exponential
 * Backoff and Jitter", AWS Architecture Blog, 2015). `attempt` is the one that failed, from 1; `random` in [0, 1).
 */
export function backoffMs(policy: RetryPolicy, attempt: number, random: number): number {
  const cap = Math.min(toMs(policy.most), toMs(policy.first) * 2 ** (attempt - 1));
  return Math.round(cap * random);
}
