/** How long to wait after a failure: exponential, capped, and spread so that many do not come back at once. */

export interface Backoff {
  readonly firstMs: number;
  readonly mostMs: number;
}

/** The wait after the `failures`th failure in a row (from 1): between half and all of `firstMs · 2^(failures−1)`. */
export function backoffMs(
  { firstMs, mostMs }: Backoff,
  failures: number,
  random: () => number = Math.random,
): number {
  const cap = Math.min(mostMs, firstMs * 2 ** Math.min(Math.max(failures - 1, 0), 30));
  return cap * (0.5 + random() / 2);
}
