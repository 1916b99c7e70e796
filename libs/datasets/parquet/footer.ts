/**
 * Parquet footers, put together from those of parts that lie one behind the other: each part is a Parquet file itself,
 * and what lies between row groups is nobody's business. Offsets in a footer are from the file's beginning, so those of
 * a part's row groups grow by what lies before it; everything else is passed on as it is, byte by byte.
 * (Thrift's compact protocol; parquet.thrift of parquet-format 2.)
 */

/** What a file of this format begins and ends with. */
export const PARQUET_MAGIC = Buffer.from('PAR1');
const LENGTH_BYTES = 4;
/** What a file of this format ends with, behind the footer itself. */
export const TAIL_BYTES = LENGTH_BYTES + PARQUET_MAGIC.length;
/** No file this program writes comes near. */
const FOOTER_BYTES_MAX = 512 << 20;

/** Thrift's compact types. */
const BOOL_TRUE = 1;
const BOOL_FALSE = 2;
const BYTE = 3;
const I16 = 4;
const I32 = 5;
const I64 = 6;
const DOUBLE = 7;
const BINARY = 8;
const LIST = 9;
const SET = 10;
const STRUCT = 12;
const DOUBLE_BYTES = 8;
const LIST_SHORT_MAX = 14;

/** Fields of FileMetaData. */
const SCHEMA = 2;
const NUM_ROWS = 3;
const ROW_GROUPS = 4;

/** Which fields are offsets from the file's beginning, by struct. */
interface Offsets {
  readonly [field: number]: 'offset' | Offsets;
}
const COLUMN_META_DATA: Offsets = { 9: 'offset', 10: 'offset', 11: 'offset', 14: 'offset' };
const COLUMN_CHUNK: Offsets = { 2: 'offset', 3: COLUMN_META_DATA, 4: 'offset', 6: 'offset' };
const ROW_GROUP: Offsets = { 1: COLUMN_CHUNK, 5: 'offset' };
/** A column chunk takes at least 30 bytes, and its offsets grow by 9 bytes each at most. */
const GROWTH_MAX = 3;

/** A footer, taken apart. */
export interface Footer {
  /** Everything before the number of rows: version and schema. */
  readonly head: Buffer;
  readonly rows: number;
  readonly groups: number;
  /** The row groups, one behind the other. */
  readonly groupBytes: Buffer;
  /** Everything behind the row groups: the writer's name, the order of columns. */
  readonly rest: Buffer;
}

/** How long the footer is of a file that ends with these bytes. Throws for what is no Parquet file. */
export function footerBytesOf(end: Buffer): number {
  const at = end.length - TAIL_BYTES;
  if (at < 0 || !end.subarray(at + LENGTH_BYTES).equals(PARQUET_MAGIC))
    throw new Error('expected a Parquet file');
  const bytes = end.readUInt32LE(at);
  if (bytes > FOOTER_BYTES_MAX) throw new RangeError(`a footer of ${bytes} bytes`);
  return bytes;
}

class Reader {
  constructor(
    readonly bytes: Buffer,
    public at = 0,
  ) {}

  byte(): number {
    const value = this.bytes[this.at];
    if (value === undefined) throw new RangeError('a footer ends too soon');
    this.at += 1;
    return value;
  }

  /** At most 2^53: nothing that is counted here is larger. */
  varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  /** The next field's id and type; undefined at the end of its struct. */
  field(before: number): { id: number; type: number } | undefined {
    const byte = this.byte();
    if (byte === 0) return undefined;
    const delta = byte >> 4;
    return { id: delta === 0 ? unzigzag(this.varint()) : before + delta, type: byte & 0x0f };
  }

  list(): { length: number; type: number } {
    const byte = this.byte();
    const short = byte >> 4;
    return { length: short > LIST_SHORT_MAX ? this.varint() : short, type: byte & 0x0f };
  }

  skip(type: number): void {
    switch (type) {
      case BOOL_TRUE:
      case BOOL_FALSE:
        return;
      case BYTE:
        this.at += 1;
        return;
      case I16:
      case I32:
      case I64:
        while (this.byte() >= 0x80);
        return;
      case DOUBLE:
        this.at += DOUBLE_BYTES;
        return;
      case BINARY: {
        const length = this.varint();
        this.at += length;
        return;
      }
      case LIST:
      case SET: {
        const { length, type: of } = this.list();
        const isBool = of === BOOL_TRUE || of === BOOL_FALSE;
        for (let item = 0; item < length; item += 1) this.skip(isBool ? BYTE : of);
        return;
      }
      case STRUCT:
        for (let field = this.field(0); field; field = this.field(field.id)) this.skip(field.type);
        return;
      default:
        throw new Error(`a footer has a value of type ${type}`);
    }
  }
}

/** Takes a footer apart: the bytes before the last eight of a Parquet file. */
export function parseFooter(bytes: Buffer): Footer {
  const reader = new Reader(bytes);
  let [rows, groups, headEnd, groupsFrom, groupsEnd] = [0, 0, 0, 0, 0];
  let end = 0;
  for (let field = reader.field(0); field; field = reader.field(field.id)) {
    if (field.id === NUM_ROWS) rows = unzigzag(reader.varint());
    else if (field.id === ROW_GROUPS) {
      const { length, type } = reader.list();
      groups = length;
      groupsFrom = reader.at;
      for (let group = 0; group < length; group += 1) reader.skip(type);
      groupsEnd = reader.at;
    } else reader.skip(field.type);
    if (field.id === SCHEMA) headEnd = reader.at;
    end = reader.at;
  }
  return {
    head: bytes.subarray(0, headEnd),
    rows,
    groups,
    groupBytes: bytes.subarray(groupsFrom, groupsEnd),
    rest: bytes.subarray(groupsEnd, end),
  };
}

/** The row groups with every offset `by` further. */
export function shiftGroups({ groupBytes, groups }: JoinedPart['footer'], by: number): Buffer {
  if (by === 0) return groupBytes;
  const reader = new Reader(groupBytes);
  const written = Buffer.allocUnsafe(groupBytes.length * GROWTH_MAX);
  let length = 0;
  const copyFrom = (from: number): void => {
    length += groupBytes.copy(written, length, from, reader.at);
  };

  function copyValue(type: number, offsets: 'offset' | Offsets | undefined): void {
    const from = reader.at;
    if (offsets === 'offset' && type === I64) {
      length = writeVarint(written, length, zigzag(unzigzag(reader.varint()) + by));
    } else if (typeof offsets === 'object' && type === LIST) {
      const list = reader.list();
      copyFrom(from);
      for (let item = 0; item < list.length; item += 1) copyValue(list.type, offsets);
    } else if (typeof offsets === 'object' && type === STRUCT) {
      copyStruct(offsets);
    } else {
      reader.skip(type);
      copyFrom(from);
    }
  }

  function copyStruct(offsets: Offsets): void {
    for (let id = 0; ;) {
      const from = reader.at;
      const field = reader.field(id);
      copyFrom(from);
      if (!field) return;
      copyValue(field.type, offsets[field.id]);
      ({ id } = field);
    }
  }

  for (let group = 0; group < groups; group += 1) copyStruct(ROW_GROUP);
  return written.subarray(0, length);
}

export interface JoinedPart {
  readonly footer: Pick<Footer, 'rows' | 'groups' | 'groupBytes'>;
  /** The part's first byte in the file. */
  readonly at: number;
}

/** The end of a file made of these parts, in order: footer, its length, the format's mark. They have one schema. */
export function* joinFooters(parts: readonly JoinedPart[], head: Buffer, rest: Buffer): Generator<Buffer> {
  const rows = parts.reduce((sum, { footer }) => sum + footer.rows, 0);
  const groups = parts.reduce((sum, { footer }) => sum + footer.groups, 0);
  // The next field of a struct has its distance from the one before in front of its type.
  const counts = Buffer.alloc(32);
  let length = counts.writeUInt8((1 << 4) | I64, 0);
  length = writeVarint(counts, length, zigzag(rows));
  length = counts.writeUInt8((1 << 4) | LIST, length);
  length = counts.writeUInt8((Math.min(groups, LIST_SHORT_MAX + 1) << 4) | STRUCT, length);
  if (groups > LIST_SHORT_MAX) length = writeVarint(counts, length, groups);
  let bytes = 0;
  const counted = (piece: Buffer): Buffer => {
    bytes += piece.length;
    return piece;
  };
  yield counted(head);
  yield counted(counts.subarray(0, length));
  for (const { footer, at } of parts) yield counted(shiftGroups(footer, at));
  yield counted(rest);
  const tail = Buffer.alloc(1 + TAIL_BYTES);
  tail.writeUInt32LE(bytes + 1, 1);
  PARQUET_MAGIC.copy(tail, 1 + LENGTH_BYTES);
  yield tail;
}

function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

function zigzag(value: number): number {
  return value < 0 ? -value * 2 - 1 : value * 2;
}

/** Writes a whole number; answers where the next byte goes. */
function writeVarint(buffer: Buffer, at: number, value: number): number {
  let [left, place] = [value, at];
  for (; left >= 0x80; left = Math.floor(left / 128)) place = buffer.writeUInt8((left % 128) | 0x80, place);
  return buffer.writeUInt8(left, place);
}
