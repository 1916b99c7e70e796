/** The last part of a Parquet file: one footer, from the footers its parts end with. */
import { Readable } from 'node:stream';
import {
  footerBytesOf,
  joinFooters,
  parseFooter,
  TAIL_BYTES,
  type Footer,
  type JoinedPart,
} from './footer.js';
import { ParquetRefusal } from './refusal.js';

/** How parts end, in their order. */
export interface PartEnds {
  readonly parts: number;
  /** The last so many bytes of a part, or all of it where there are fewer, and how long it is. */
  read(part: number, bytesMax: number): Promise<{ readonly end: Buffer; readonly bytes: number }>;
}

/** Most footers are shorter: one look is enough. */
const LOOK_BYTES = 64 << 10;
const LOOKS_AT_ONCE = 8;

/** Reads how every part ends, and answers the bytes that go behind them all. */
export async function closeParquet(ends: PartEnds): Promise<Readable> {
  const parts: (JoinedPart & { readonly footer: Footer })[] = [];
  let at = 0;
  for (let first = 0; first < ends.parts; first += LOOKS_AT_ONCE) {
    const many = Math.min(LOOKS_AT_ONCE, ends.parts - first);
    const found = await Promise.all(
      Array.from({ length: many }, (_, index) => footerOf(ends, first + index)),
    );
    for (const { footer, bytes } of found) {
      parts.push({ footer, at });
      at += bytes;
    }
  }
  const [head, rest] = [parts[0]?.footer.head, parts[0]?.footer.rest];
  if (!head || !rest) throw new RangeError('a Parquet file has at least one part');
  if (parts.some(({ footer }) => !footer.head.equals(head)))
    throw new ParquetRefusal("The dataset's columns changed while the export was written.");
  return Readable.from(joinFooters(parts, head, rest), { objectMode: false });
}

async function footerOf(ends: PartEnds, part: number): Promise<{ footer: Footer; bytes: number }> {
  const look = await ends.read(part, LOOK_BYTES);
  const needed = footerBytesOf(look.end) + TAIL_BYTES;
  const { end, bytes } = needed <= look.end.length ? look : await ends.read(part, needed);
  return { footer: parseFooter(end.subarray(end.length - needed, end.length - TAIL_BYTES)), bytes };
}
