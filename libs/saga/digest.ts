/**
 * A digest for natural keys. Pure JavaScript, because definitions are also read inside the workflow sandbox, where
 * node:crypto does not exist.
 */

const DIGEST_HEX_LENGTH = 32;

/** JSON with the keys of every object sorted: two values that mean the same have the same text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value)
      .filter(([, entry]) => entry !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, entry]) => `${JSON.stringify(key)}:${canonicalJson(entry)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}

/** The first 128 bits, in hex, of the SHA-256 of a value's canonical JSON. */
export function digest(value: unknown): string {
  return sha256Hex(utf8(canonicalJson(value))).slice(0, DIGEST_HEX_LENGTH);
}

/** UTF-8 by hand: TextEncoder is not promised in the sandbox. A lone surrogate becomes U+FFFD, as everywhere. */
function utf8(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text.toWellFormed()) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else
      bytes.push(
        0xf0 | (code >> 18),
        0x80 | ((code >> 12) & 63),
        0x80 | ((code >> 6) & 63),
        0x80 | (code & 63),
      );
  }
  return Uint8Array.from(bytes);
}

/** SHA-256 as FIPS 180-4 writes it. */
export function sha256Hex(message: Uint8Array): string {
  const { initial, round } = constants();
  const padded = new Uint8Array(((message.length + 8) >> 6) * 64 + 64);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(message.length / 0x20000000));
  view.setUint32(padded.length - 4, (message.length << 3) >>> 0);

  const state = Uint32Array.from(initial);
  const w = new Uint32Array(64);
  const at = (words: Uint32Array, index: number): number => words[index] ?? 0;
  const rotate = (word: number, by: number): number => (word >>> by) | (word << (32 - by));
  for (let block = 0; block < padded.length; block += 64) {
    for (let t = 0; t < 64; t += 1) {
      if (t < 16) {
        w[t] = view.getUint32(block + t * 4);
        continue;
      }
      const low = at(w, t - 15);
      const high = at(w, t - 2);
      const s0 = rotate(low, 7) ^ rotate(low, 18) ^ (low >>> 3);
      const s1 = rotate(high, 17) ^ rotate(high, 19) ^ (high >>> 10);
      w[t] = at(w, t - 16) + s0 + at(w, t - 7) + s1;
    }
    const v = Uint32Array.from(state);
    for (let t = 0; t < 64; t += 1) {
      const e = at(v, 4);
      const a = at(v, 0);
      const choice = (e & at(v, 5)) ^ (~e & at(v, 6));
      const one =
        at(v, 7) + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + choice + at(round, t) + at(w, t);
      const majority = (a & at(v, 1)) ^ (a & at(v, 2)) ^ (at(v, 1) & at(v, 2));
      const two = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + majority;
      v.copyWithin(1, 0, 7);
      v[4] = at(v, 4) + one;
      v[0] = one + two;
    }
    for (let i = 0; i < 8; i += 1) state[i] = at(state, i) + at(v, i);
  }
  return Array.from(state, (word) => word.toString(16).padStart(8, '0')).join('');
}

/** The fractions of the square and cube roots of the first primes, computed as the standard defines them. */
function constants(): { initial: Uint32Array; round: Uint32Array } {
  const initial: number[] = [];
  const round: number[] = [];
  for (let candidate = 2; round.length < 64; candidate += 1) {
    let prime = true;
    for (let divisor = 2; divisor * divisor <= candidate; divisor += 1) prime &&= candidate % divisor !== 0;
    if (!prime) continue;
    if (initial.length < 8) initial.push(((candidate ** 0.5 % 1) * 0x100000000) >>> 0);
    round.push(((Math.cbrt(candidate) % 1) * 0x100000000) >>> 0);
  }
  return { initial: Uint32Array.from(initial), round: Uint32Array.from(round) };
}
