/** The demo's flights as PostgreSQL's binary COPY, read from Parquet a row group at a time: bounded memory, no text. */
import { zstdDecompressSync } from 'node:zlib';
import { asyncBufferFromFile, parquetMetadataAsync, parquetRead } from 'hyparquet';

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const TRAILER = Buffer.from([0xff, 0xff]);
/** 2000-01-01, from which PostgreSQL counts, in microseconds since 1970. */
const POSTGRES_EPOCH_US = 946_684_800_000_000n;
const CHUNK_BYTES = 1 << 18;
const FIELDS = 6;
/** Field count, six lengths, and six values: bigint, timestamp, two integers, two texts. */
const ROW_BYTES_MAX = 2 + FIELDS * 4 + 8 + 8 + 4 + 4 + 2 * 64;

type Value = bigint | Uint8Array | null | undefined;
interface Chunk {
  readonly columnName: string;
  readonly columnData: ArrayLike<Value>;
  readonly rowStart: number;
}

/** Yields the COPY data of all rows; `onRows` hears the count after each row group. Columns as in the demo's table. */
export async function* flightsAsCopy(
  file: string,
  onRows: (rows: number, total: number) => Promise<void>,
): AsyncGenerator<Buffer> {
  const source = await asyncBufferFromFile(file);
  const metadata = await parquetMetadataAsync(source);
  const total = Number(metadata.num_rows);
  yield SIGNATURE;
  let rows = 0;
  for (const group of metadata.row_groups) {
    const count = Number(group.num_rows);
    const columns = new Map<string, Chunk[]>();
    await parquetRead({
      file: source,
      metadata,
      rowStart: rows,
      rowEnd: rows + count,
      compressors: { ZSTD: (bytes) => zstdDecompressSync(bytes) },
      parsers: {
        // Kept as they lie in the file: dates and strings as objects would be made only to be taken apart.
        timestampFromMicroseconds: (microseconds) => microseconds,
        stringFromBytes: (bytes) => bytes,
      },
      onChunk: (chunk) => {
        const chunks = columns.get(chunk.columnName) ?? [];
        chunks.push(chunk as Chunk);
        columns.set(chunk.columnName, chunks);
      },
    });
    yield* rowsAsCopy(columns, rows, count);
    rows += count;
    await onRows(rows, total);
  }
  yield TRAILER;
}

function* rowsAsCopy(columns: Map<string, Chunk[]>, firstRow: number, count: number): Generator<Buffer> {
  const column = (name: string): ArrayLike<Value> => {
    const chunks = columns.get(name) ?? [];
    const [only] = chunks;
    if (chunks.length === 1 && only) return only.columnData;
    return chunks.sort((a, b) => a.rowStart - b.rowStart).flatMap((chunk) => Array.from(chunk.columnData));
  };
  const [date, delay, distance] = [column('date'), column('delay'), column('distance')];
  const [origin, destination] = [column('origin'), column('destination')];
  let buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  let at = 0;
  for (let row = 0; row < count; row += 1) {
    if (at + ROW_BYTES_MAX > CHUNK_BYTES) {
      yield buffer.subarray(0, at);
      buffer = Buffer.allocUnsafe(CHUNK_BYTES);
      at = 0;
    }
    at = buffer.writeInt16BE(FIELDS, at);
    at = buffer.writeInt32BE(8, at);
    at = buffer.writeInt32BE(0, at);
    at = buffer.writeUInt32BE(firstRow + row + 1, at);
    at = writeTimestamp(buffer, at, date[row]);
    at = writeInteger(buffer, at, delay[row]);
    at = writeInteger(buffer, at, distance[row]);
    at = writeBytes(buffer, at, origin[row]);
    at = writeBytes(buffer, at, destination[row]);
  }
  yield buffer.subarray(0, at);
}

function writeTimestamp(buffer: Buffer, at: number, value: Value): number {
  if (typeof value !== 'bigint') return buffer.writeInt32BE(-1, at);
  return buffer.writeBigInt64BE(value - POSTGRES_EPOCH_US, buffer.writeInt32BE(8, at));
}

function writeInteger(buffer: Buffer, at: number, value: Value): number {
  if (typeof value !== 'bigint') return buffer.writeInt32BE(-1, at);
  return buffer.writeInt32BE(Number(value), buffer.writeInt32BE(4, at));
}

function writeBytes(buffer: Buffer, at: number, value: Value): number {
  if (!(value instanceof Uint8Array)) return buffer.writeInt32BE(-1, at);
  const start = buffer.writeInt32BE(value.length, at);
  buffer.set(value, start);
  return start + value.length;
}
