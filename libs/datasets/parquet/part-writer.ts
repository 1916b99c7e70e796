/**
 * Makes a Parquet file of a binary COPY as it comes: rows go into column vectors, and a group of them is written when
 * there are enough. Everything here is synchronous and pure: the same bytes in make the same bytes out.
 */
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import type { DecodedArray, Encoding } from 'hyparquet';
import { ByteWriter, ParquetWriter, type ColumnSource } from 'hyparquet-writer';
import { readBinaryCopy } from './binary-copy.js';
import type { ParquetCodec } from './codecs.js';
import { footerBytesOf, joinFooters, parseFooter, TAIL_BYTES } from './footer.js';
import { encodedElements, schemaElements, type ParquetColumn } from './parquet-column.js';
import { vectorOf, type Vector } from './vector.js';

/** Half a part's rows, so that its groups are of about one size; as many as DuckDB and Arrow make by themselves. */
export const GROUP_ROWS_MAX = 131_072;
/** What the vectors of a group hold at most, but for its last row: wide rows make groups of fewer. */
export const GROUP_BYTES_MAX = 16 << 20;
const CREATED_BY = 'longhaul version 0.1.0 (build hyparquet-writer)';

/** Snappy is the library's own. Levels as for the other formats (compressions.ts). */
const COMPRESSORS = {
  GZIP: (page: Uint8Array) => gzipSync(page, { level: 1 }),
  ZSTD: (page: Uint8Array) => zstdCompressSync(page, { params: { [constants.ZSTD_c_compressionLevel]: 1 } }),
};

export interface PartWriterOptions {
  readonly columns: readonly ParquetColumn[];
  readonly codec: ParquetCodec;
  readonly groupRowsMax?: number;
  readonly groupBytesMax?: number;
}

export interface PartWriter {
  /** Takes the next bytes of the COPY; answers what can be written meanwhile, often nothing. */
  push(chunk: Uint8Array): Uint8Array<ArrayBuffer>[];
  /** Answers the rest of the file. Throws when the COPY was not whole. */
  end(): Uint8Array<ArrayBuffer>[];
}

/** A library's writer whose bytes are taken away group by group. */
class TakenWriter extends ByteWriter {
  readonly taken: Uint8Array<ArrayBuffer>[] = [];

  flush(): void {
    if (this.index > 0) this.taken.push(new Uint8Array(this.buffer.slice(0, this.index)));
    this.index = 0;
  }

  override finish(): void {
    this.flush();
  }

  take(): Uint8Array<ArrayBuffer>[] {
    return this.taken.splice(0);
  }
}

/** A column that is taken when its turn comes, and let go after it: one at a time is more than its vector. */
class LazyColumn implements ColumnSource {
  readonly offsetIndex = false;
  encoding?: Encoding;

  constructor(
    readonly name: string,
    readonly vector: Vector,
  ) {}

  get data(): DecodedArray {
    const { data, encoding } = this.vector.take();
    if (encoding) this.encoding = encoding;
    return data;
  }
}

/** Opens a part: a Parquet file of its own. */
export function openPart(options: PartWriterOptions): PartWriter {
  const { columns, codec, groupRowsMax = GROUP_ROWS_MAX, groupBytesMax = GROUP_BYTES_MAX } = options;
  const vectors = columns.map((column) => vectorOf(column));
  const bytes = new TakenWriter(1 << 16);
  const writer = new ParquetWriter({
    writer: bytes,
    schema: encodedElements(columns),
    codec,
    compressors: COMPRESSORS,
    createdBy: CREATED_BY,
  });
  let rows = 0;
  let held = 0;
  const reader = readBinaryCopy(vectors, (cost) => {
    rows += 1;
    held += cost;
    if (rows === groupRowsMax || held >= groupBytesMax) writeGroup();
  });

  function writeGroup(): void {
    const columnData = columns.map(({ name }, index) => new LazyColumn(name, vectors[index] as Vector));
    void writer.write({ columnData, rowGroupSize: rows });
    for (const vector of vectors) vector.clear();
    rows = 0;
    held = 0;
  }

  return {
    push(chunk) {
      reader.push(chunk);
      return bytes.take();
    },
    end() {
      reader.end();
      if (rows > 0) writeGroup();
      bytes.flush();
      const groups = bytes.take();
      void writer.finish();
      return [...groups, describedAs(columns, Buffer.concat(bytes.take()))];
    },
  };
}

/** The library's footer, with the schema as readers shall see it. */
function describedAs(columns: readonly ParquetColumn[], end: Buffer): Uint8Array<ArrayBuffer> {
  const { head } = parseFooter(footerIn(emptyFile(columns)));
  const footer = parseFooter(footerIn(end));
  return new Uint8Array(Buffer.concat([...joinFooters([{ footer, at: 0 }], head, footer.rest)]));
}

function emptyFile(columns: readonly ParquetColumn[]): Buffer {
  const bytes = new ByteWriter();
  void new ParquetWriter({ writer: bytes, schema: schemaElements(columns), createdBy: CREATED_BY }).finish();
  return Buffer.from(bytes.getBytes());
}

function footerIn(end: Buffer): Buffer {
  const at = end.length - TAIL_BYTES - footerBytesOf(end);
  return end.subarray(at, end.length - TAIL_BYTES);
}
