/**
 * Makes a Parquet file of a binary COPY as it comes: rows go into column vectors, and a group of them is written when
 * there are enough. Everything here is synchronous and pure: the same bytes in make the same bytes out.
 */
import type { ColumnChunk, FileMetaData, RowGroup } from 'hyparquet';
import { ByteWriter } from 'hyparquet-writer';
import { writeMetadata } from 'hyparquet-writer/src/metadata.js';
import { readBinaryCopy } from './binary-copy.js';
import type { ParquetCodec } from './codecs.js';
import { createChunkWriter, type ChunkWriter } from './column-chunk.js';
import { joinFooters, parseFooter, PARQUET_MAGIC, type Footer } from './footer.js';
import { encodedElements, schemaElements, type ParquetColumn } from './parquet-column.js';
import { vectorOf, type Vector } from './vector.js';

/** A quarter of a part's rows, so that its groups are of about one size; about as many as DuckDB makes. */
export const GROUP_ROWS_MAX = 131_072;
/** What the vectors of a group hold at most, but for its last row: wide rows make groups of fewer. */
export const GROUP_BYTES_MAX = 16 << 20;
const CREATED_BY = 'longhaul version 0.1.0 (build hyparquet-writer)';
const FORMAT_VERSION = 2;
const WRITER_BYTES_FIRST = 1 << 20;
/** What the library writes behind a footer: its length. */
const LENGTH_BYTES = 4;

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

/** What parts of the same columns use one after the other: collecting it would be left for later than is good. */
export interface PartMemory {
  readonly vectors: readonly Vector[];
  readonly chunks: ChunkWriter;
  readonly writer: ByteWriter;
}

export function createPartMemory(columns: readonly ParquetColumn[]): PartMemory {
  return {
    vectors: columns.map((column) => vectorOf(column)),
    chunks: createChunkWriter(),
    writer: new ByteWriter(WRITER_BYTES_FIRST),
  };
}

/** Opens a part: a Parquet file of its own. No other may be open in the same memory. */
export function openPart(options: PartWriterOptions, memory = createPartMemory(options.columns)): PartWriter {
  const { columns, codec, groupRowsMax = GROUP_ROWS_MAX, groupBytesMax = GROUP_BYTES_MAX } = options;
  const { vectors, chunks, writer } = memory;
  const [, ...elements] = encodedElements(columns);
  // The part before may have been given up in the middle.
  for (const vector of vectors) vector.clear();
  writer.index = 0;
  writer.offset = 0;
  const groups: RowGroup[] = [];
  let written: Uint8Array<ArrayBuffer>[] = [];
  let rows = 0;
  let held = 0;
  writer.appendBytes(PARQUET_MAGIC);

  const reader = readBinaryCopy(vectors, (cost) => {
    rows += 1;
    held += cost;
    if (rows === groupRowsMax || held >= groupBytesMax) writeGroup();
  });

  function writeGroup(): void {
    const begin = writer.offset;
    const written = vectors.map((vector, index): ColumnChunk => {
      const element = elements[index];
      if (!element) throw new RangeError(`there is no column ${index}`);
      return chunks.write(writer, element, vector, codec);
    });
    const uncompressed = written.reduce(
      (sum, { meta_data }) => sum + (meta_data?.total_uncompressed_size ?? 0n),
      0n,
    );
    groups.push({
      columns: written,
      total_byte_size: uncompressed,
      num_rows: BigInt(rows),
      file_offset: BigInt(begin),
      total_compressed_size: BigInt(writer.offset - begin),
    });
    for (const vector of vectors) vector.clear();
    rows = 0;
    held = 0;
    giveAway();
  }

  /** The writer goes on with its buffer, at the offset it has reached. */
  function giveAway(): void {
    written.push(new Uint8Array(writer.buffer.slice(0, writer.index)));
    writer.index = 0;
  }

  function take(): Uint8Array<ArrayBuffer>[] {
    const taken = written;
    written = [];
    return taken;
  }

  return {
    push(chunk) {
      reader.push(chunk);
      return take();
    },
    end() {
      reader.end();
      if (rows > 0) writeGroup();
      if (writer.index > 0) giveAway();
      const { rest, ...footer } = footerOf(encodedElements(columns), groups);
      // Statistics are written by the one schema, and readers get the other.
      const { head } = footerOf(schemaElements(columns), []);
      written.push(new Uint8Array(Buffer.concat([...joinFooters([{ footer, at: 0 }], head, rest)])));
      return take();
    },
  };
}

function footerOf(schema: FileMetaData['schema'], groups: RowGroup[]): Footer {
  const bytes = new ByteWriter();
  writeMetadata(bytes, {
    version: FORMAT_VERSION,
    schema,
    num_rows: groups.reduce((sum, { num_rows }) => sum + num_rows, 0n),
    row_groups: groups,
    created_by: CREATED_BY,
    metadata_length: 0,
  });
  return parseFooter(Buffer.from(bytes.getBytes()).subarray(0, -LENGTH_BYTES));
}
