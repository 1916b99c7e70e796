/**
 * Writes a column of a row group: a dictionary where it pays, pages of the first version (which every reader knows), and
 * what the footer says of them. The library's own column writer makes objects of every value in each of its passes: for
 * a million flights it took twice the processor's time and a hundred megabytes more.
 */
import type { ColumnChunk, Encoding, SchemaElement } from 'hyparquet';
import { ByteWriter } from 'hyparquet-writer';
import { writePageHeader } from 'hyparquet-writer/src/datapage.js';
import { writeRleBitPackedHybrid } from 'hyparquet-writer/src/encoding.js';
import type { ParquetCodec } from './codecs.js';
import { compressPage } from './compress.js';
import { createDictionaryMaker, type Dictionary } from './dictionary.js';
import { byteBounds, startOf, type Bounds, type ByteValues, type Values, type Vector } from './vector.js';

/** A reader holds a page at a time. */
const PAGE_BYTES_MAX = 1 << 20;
const LENGTH_BYTES = 4;
const LEVEL_BITS = 1;
const BITS_PER_BYTE = 8;

/** Rows of a chunk: those of one page, with the values among them that are not NULL. */
interface PageRows {
  readonly fromRow: number;
  readonly toRow: number;
  readonly from: number;
  readonly to: number;
}

export interface ChunkWriter {
  /** Writes the column's values, and answers what the footer says of them. */
  write(writer: ByteWriter, element: SchemaElement, vector: Vector, codec: ParquetCodec): ColumnChunk;
}

/** Memory for one column after the other. */
export function createChunkWriter(): ChunkWriter {
  const dictionaries = createDictionaryMaker();
  const page = new ByteWriter(PAGE_BYTES_MAX);

  /** Writes what `page` holds; answers its length with its header, before compression. */
  function writePage(
    writer: ByteWriter,
    codec: ParquetCodec,
    header: Omit<Parameters<typeof writePageHeader>[1], 'uncompressed_page_size' | 'compressed_page_size'>,
  ): number {
    const bytes = page.getBytes();
    const packed = compressPage(bytes, codec);
    const begin = writer.offset;
    writePageHeader(writer, {
      ...header,
      uncompressed_page_size: bytes.length,
      compressed_page_size: packed.length,
    });
    const headerBytes = writer.offset - begin;
    writer.appendBytes(packed);
    const length = headerBytes + bytes.length;
    page.index = 0;
    page.offset = 0;
    return length;
  }

  function appendLevels({ presence }: Vector, { fromRow, toRow, from, to }: PageRows): void {
    const lengthAt = page.index;
    page.appendUint32(0);
    const rows = toRow - fromRow;
    if (to - from === rows) {
      // One run: every row has a value.
      page.appendVarInt(rows << 1);
      page.appendUint8(1);
    } else writeRleBitPackedHybrid(page, presence.levels().subarray(fromRow, toRow), LEVEL_BITS);
    page.view.setUint32(lengthAt, page.index - lengthAt - LENGTH_BYTES, true);
  }

  return {
    write(writer, element, vector, codec) {
      const { presence, values } = vector;
      const { type } = element;
      if (!type) throw new TypeError(`column ${element.name} has no type`);
      // A page that failed in the middle left something behind.
      page.index = 0;
      page.offset = 0;
      const begin = writer.offset;
      const dictionary = values.kind === 'bits' ? undefined : dictionaries.make(values);
      let uncompressed = 0;
      if (dictionary && values.kind !== 'bits') {
        appendPlain(page, values, dictionary.size, (index) => dictionary.firsts[index] ?? 0);
        uncompressed += writePage(writer, codec, {
          type: 'DICTIONARY_PAGE',
          dictionary_page_header: { num_values: dictionary.size, encoding: 'PLAIN' },
        });
      }
      const dataAt = writer.offset;
      const encoding: Encoding = dictionary ? 'RLE_DICTIONARY' : 'PLAIN';
      const pages = pagesOf(vector, dictionary);
      for (const rows of pages) {
        appendLevels(vector, rows);
        if (dictionary) {
          page.appendUint8(dictionary.bitWidth);
          writeRleBitPackedHybrid(page, dictionary.indexes.subarray(rows.from, rows.to), dictionary.bitWidth);
        } else if (values.kind === 'bits') appendBits(page, values.bits.subarray(rows.from, rows.to));
        else if (values.kind === 'fixed')
          page.appendBytes(values.bytes().subarray(rows.from * values.width, rows.to * values.width));
        else appendPlain(page, values, rows.to - rows.from, (index) => rows.from + index);
        uncompressed += writePage(writer, codec, {
          type: 'DATA_PAGE',
          data_page_header: {
            num_values: rows.toRow - rows.fromRow,
            encoding,
            definition_level_encoding: 'RLE',
            repetition_level_encoding: 'RLE',
          },
        });
      }
      const { min, max } = boundsOf(values);
      return {
        file_offset: BigInt(begin),
        meta_data: {
          type,
          encodings: dictionary ? ['PLAIN', 'RLE', 'RLE_DICTIONARY'] : ['PLAIN', 'RLE'],
          path_in_schema: [element.name],
          codec,
          num_values: BigInt(presence.rows),
          total_uncompressed_size: BigInt(uncompressed),
          total_compressed_size: BigInt(writer.offset - begin),
          data_page_offset: BigInt(dataAt),
          ...(dictionary ? { dictionary_page_offset: BigInt(begin) } : {}),
          statistics: {
            null_count: BigInt(presence.nulls),
            ...(min === undefined ? {} : { min_value: min }),
            ...(max === undefined ? {} : { max_value: max }),
          },
          encoding_stats: [
            ...(dictionary
              ? [{ page_type: 'DICTIONARY_PAGE' as const, encoding: 'PLAIN' as const, count: 1 }]
              : []),
            { page_type: 'DATA_PAGE', encoding, count: pages.length },
          ],
        },
      };
    },
  };
}

function boundsOf(values: Values): Bounds {
  if (values.kind === 'fixed') return values.bounds();
  if (values.kind === 'bytes') {
    const { content, ends } = values;
    return byteBounds(content, values.count, (index) => ends[index] ?? 0);
  }
  if (values.count === 0) return { min: undefined, max: undefined };
  return { min: !values.bits.includes(0), max: values.bits.includes(1) };
}

/** The rows of each page: about as many values as fit in one, and all of a dictionary's, which are short. */
function pagesOf({ presence, values }: Vector, dictionary: Dictionary | undefined): PageRows[] {
  const whole = { fromRow: 0, toRow: presence.rows, from: 0, to: values.count };
  if (dictionary || values.kind === 'bits') return [whole];
  const endOf = (index: number): number =>
    values.kind === 'fixed'
      ? (index + 1) * values.width
      : (values.ends[index] ?? 0) + (index + 1) * LENGTH_BYTES;
  if (values.count === 0 || endOf(values.count - 1) <= PAGE_BYTES_MAX) return [whole];
  const pages: PageRows[] = [];
  const levels = presence.levels();
  let [fromRow, from, to, bytes] = [0, 0, 0, 0];
  for (let row = 0; row < presence.rows; row += 1) {
    if (levels[row] === 0) continue;
    if (endOf(to) - bytes > PAGE_BYTES_MAX && to > from) {
      pages.push({ fromRow, toRow: row, from, to });
      [fromRow, from, bytes] = [row, to, endOf(to - 1)];
    }
    to += 1;
  }
  pages.push({ fromRow, toRow: presence.rows, from, to });
  return pages;
}

function appendPlain(
  page: ByteWriter,
  values: Exclude<Values, { kind: 'bits' }>,
  count: number,
  nth: (index: number) => number,
): void {
  if (values.kind === 'bytes') {
    appendByteStrings(page, values, count, nth);
    return;
  }
  const bytes = values.bytes();
  const { width } = values;
  for (let index = 0; index < count; index += 1) {
    const from = nth(index) * width;
    page.appendBytes(bytes.subarray(from, from + width));
  }
}

function appendByteStrings(
  page: ByteWriter,
  { content, ends }: ByteValues,
  count: number,
  nth: (index: number) => number,
): void {
  for (let index = 0; index < count; index += 1) {
    const value = nth(index);
    const from = startOf(ends, value);
    const length = (ends[value] ?? 0) - from;
    page.ensure(LENGTH_BYTES + length);
    page.view.setUint32(page.index, length, true);
    const to = page.index + LENGTH_BYTES;
    const bytes = new Uint8Array(page.buffer, to, length);
    bytes.set(content.subarray(from, from + length));
    page.index = to + length;
    page.offset += LENGTH_BYTES + length;
  }
}

function appendBits(page: ByteWriter, bits: Uint8Array): void {
  for (let from = 0; from < bits.length; from += BITS_PER_BYTE) {
    let byte = 0;
    for (let bit = 0; bit < BITS_PER_BYTE; bit += 1) byte |= (bits[from + bit] ?? 0) << bit;
    page.appendUint8(byte);
  }
}
