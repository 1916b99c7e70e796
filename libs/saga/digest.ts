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
  const ascii = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code >= 0x80) return utf8Wide(text);
    ascii[at] = code;
  }
  return ascii;
}

function utf8Wide(text: string): Uint8Array {
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
  const { initial, round } = (known ??= constants());
  const padded = new Uint8Array(((message.length + 8) >> 6) * 64 + 64);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(message.length / 0x20000000));
  view.setUint32(padded.length - 4, (message.length << 3) >>> 0);

  const state = Int32Array.from(initial);
  const w = new Int32Array(64);
  for (let block = 0; block < padded.length; block += 64) {
    for (let t = 0; t < 16; t += 1) w[t] = view.getInt32(block + t * 4);
    for (let t = 16; t < 64; t += 1) {
      const low = w[t - 15]!;
      const high = w[t - 2]!;
      const s0 = rotate(low, 7) ^ rotate(low, 18) ^ (low >>> 3);
      const s1 = rotate(high, 17) ^ rotate(high, 19) ^ (high >>> 10);
      w[t] = w[t - 16]! + s0 + w[t - 7]! + s1;
    }
    let a = state[0]!;
    let b = state[1]!;
    let c = state[2]!;
    let d = state[3]!;
    let e = state[4]!;
    let f = state[5]!;
    let g = state[6]!;
    let h = state[7]!;
    for (let t = 0; t < 64; t += 1) {
      const choice = (e & f) ^ (~e & g);
      const one = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + choice + round[t]! + w[t]!;
      const majority = (a & b) ^ (a & c) ^ (b & c);
      const two = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + majority;
      h = g;
      g = f;
      f = e;
      e = (d + one) | 0;
      d = c;
      c = b;
      b = a;
      a = (one + two) | 0;
    }
    state[0]! += a;
    state[1]! += b;
    state[2]! += c;
    state[3]! += d;
    state[4]! += e;
    state[5]! += f;
    state[6]! += g;
    state[7]! += h;
  }
  return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}

function rotate(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}

/** Found once: they take longer than a short message. */
let known: { readonly initial: Int32Array; readonly round: Int32Array } | undefined;

/** The fractions of the square and cube roots of the first primes, computed as the standard defines them. */
function constants(): { initial: Int32Array; round: Int32Array } {
  const initial: number[] = [];
  const round: number[] = [];
  for (let candidate = 2; round.length < 64; candidate += 1) {
    let prime = true;
    for (let divisor = 2; divisor * divisor <= candidate; divisor += 1) prime &&= candidate % divisor !== 0;
    if (!prime) continue;
    if (initial.length < 8) initial.push(((candidate ** 0.5 % 1) * 0x100000000) >>> 0);
    round.push(((Math.cbrt(candidate) % 1) * 0x100000000) >>> 0);
  }
  return { initial: Int32Array.from(initial), round: Int32Array.from(round) };
}
