/** Counts the records of a CSV stream (RFC 4180): a line end inside quotes is data. */

export interface CsvRowCounter {
  /** Takes the next bytes; chunks may end anywhere. */
  push(chunk: Uint8Array): void;
  /** Records so far without the header; a last record needs no line end. */
  rows(): number;
}

const QUOTE = 0x22;
const LF = 0x0a;

export function createCsvRowCounter(): CsvRowCounter {
  let records = 0;
  let quoted = false;
  let open = false;
  return {
    push(chunk) {
      for (const byte of chunk) {
        // An escaped quote is two quotes: it opens and closes, or closes and opens, and changes nothing.
        if (byte === QUOTE) quoted = !quoted;
        if (byte === LF && !quoted) {
          records++;
          open = false;
        } else {
          open = true;
        }
      }
    },
    rows: () => Math.max(0, records + (open ? 1 : 0) - 1),
  };
}
