/** HTTP ranges of bytes (RFC 9110, section 14): one range is served, several are answered with the whole. */

/** Both ends inclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

const DIGITS_MAX = 15;

/** What a `Range` header asks of a file of `bytes`: a range, the whole, or something that is not there (416). */
export function parseRange(header: string | undefined, bytes: number): ByteRange | 'whole' | 'unsatisfiable' {
  if (header === undefined) return 'whole';
  const match = /^bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header);
  const [first = '', last = ''] = [match?.[1], match?.[2]];
  if (!match || (first === '' && last === '') || first.length > DIGITS_MAX || last.length > DIGITS_MAX)
    return 'whole';
  if (first === '') {
    const suffix = Number(last);
    return suffix === 0 || bytes === 0
      ? 'unsatisfiable'
      : { start: Math.max(0, bytes - suffix), end: bytes - 1 };
  }
  const start = Number(first);
  const end = last === '' ? bytes - 1 : Math.min(Number(last), bytes - 1);
  if (last !== '' && Number(last) < start) return 'whole';
  return start >= bytes ? 'unsatisfiable' : { start, end };
}
