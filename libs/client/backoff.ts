/** Exponential backoff with full jitter, and a sleep that obeys an AbortSignal. */
import { setTimeout as delay } from 'node:timers/promises';

export interface RetryPolicy {
  /** Attempts in all, the first included. */
  readonly attempts: number;
  /** The cap of the first wait; each later cap doubles. */
  readonly firstMs: number;
  /** The cap no wait exceeds, a server's `Retry-After` included. */
  readonly mostMs: number;
}

export const RETRY_DEFAULT: RetryPolicy = { attempts: 5, firstMs: 200, mostMs: 10_000 };

/** The wait after failure number `failures` (from 1): what the server asked for, or a random part of the cap. */
export function backoffMs(
  policy: RetryPolicy,
  failures: number,
  askedForMs?: number,
  random = Math.random,
): number {
  if (askedForMs !== undefined) return Math.min(askedForMs, policy.mostMs);
  return random() * Math.min(policy.mostMs, policy.firstMs * 2 ** (failures - 1));
}

/** Rejects with the signal's reason when it aborts. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  try {
    await delay(ms, undefined, signal ? { signal } : {});
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
