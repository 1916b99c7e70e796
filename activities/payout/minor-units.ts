/** Money: integers of minor units (cents), small enough for a JavaScript number to hold each exactly. */

/** The number PostgreSQL sent as text; throws where a JavaScript number cannot hold it. */
export function toMinor(text: string): number {
  const minor = Number(text);
  if (!Number.isSafeInteger(minor)) throw new RangeError(`${text} is no safe integer of minor units`);
  return minor;
}

/** The sum of amounts, each a positive integer; throws where one is not, or the sum is beyond exact numbers. */
export function sumMinor(amountsMinor: readonly number[]): number {
  let total = 0;
  for (const amount of amountsMinor) {
    if (!Number.isSafeInteger(amount) || amount <= 0) {
      throw new RangeError(`${amount} is no positive integer of minor units`);
    }
    total += amount;
    if (!Number.isSafeInteger(total)) throw new RangeError('The sum is beyond exact numbers');
  }
  return total;
}
