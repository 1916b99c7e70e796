/**
 * PostgreSQL's binary numeric (numeric_send): how many groups of four decimal digits, the weight of the first in
 * powers of 10,000, sign, digits shown after the point, then the groups.
 */

const HEADER_BYTES = 8;
const NEGATIVE = 0x4000;
const POSITIVE = 0x0000;
const GROUP = 10_000n;
const GROUP_DIGITS = 4;

/** The number times 10^scale; undefined where it is none (NaN, an infinity) or has digits past the scale. */
export function unscaledNumeric(view: DataView, at: number, scale: number): bigint | undefined {
  const groups = view.getUint16(at);
  const weight = view.getInt16(at + 2);
  const sign = view.getUint16(at + 4);
  if (sign !== POSITIVE && sign !== NEGATIVE) return undefined;
  let value = 0n;
  for (let group = 0; group < groups; group += 1) {
    value = value * GROUP + BigInt(view.getUint16(at + HEADER_BYTES + 2 * group));
  }
  // The last group counts 10,000^(weight − groups + 1).
  const power = GROUP_DIGITS * (weight - groups + 1) + scale;
  if (groups === 0) return 0n;
  if (power >= 0) value *= 10n ** BigInt(power);
  else {
    const divisor = 10n ** BigInt(-power);
    if (value % divisor !== 0n) return undefined;
    value /= divisor;
  }
  return sign === NEGATIVE ? -value : value;
}
