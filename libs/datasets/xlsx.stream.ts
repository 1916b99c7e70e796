/**
 * An XLSX workbook of one sheet, made while its rows stream by: a ZIP whose sheet is deflated by libuv's threads and
 * whose length is written after it (PKWARE APPNOTE 6.3.10; ECMA-376).
 */
import { pipeline, Readable } from 'node:stream';
import { crc32, createDeflateRaw } from 'node:zlib';
import { ByteCounter, type CountedStream } from './compressions.js';
import { columnLetters } from './xlsx.sql.js';

const CHUNK_BYTES = 1 << 18;
/** A ZIP without its 64-bit extension, which not every reader of workbooks knows. */
const ZIP_BYTES_MAX = 0xffff_ffff;
/** 1 January 1980, the first day a ZIP knows: the same rows are the same bytes. */
const DOS_DATE = 0x21;

/** The sheet is longer than a ZIP can say. */
export class SheetTooLarge extends Error {
  constructor() {
    super('An XLSX sheet may have 4 GiB of XML at most. Ask for fewer rows or columns, or for CSV.');
    this.name = 'SheetTooLarge';
  }
}

/** The rows (XML, from the second on) as a workbook whose first row names the columns. */
export function workbook(
  rows: Readable,
  columns: readonly string[],
  bytesMax = ZIP_BYTES_MAX,
): CountedStream {
  const counted = new ByteCounter();
  // Its reader is told of every failure: the pipeline destroys the last stream with the error.
  pipeline(
    rows,
    (source: AsyncIterable<Buffer>) => zipped(source, columns, bytesMax),
    counted,
    () => undefined,
  );
  return counted;
}

interface Entry {
  readonly name: string;
  readonly streamed: boolean;
  crc: number;
  bytes: number;
  packedBytes: number;
  readonly at: number;
}

async function* zipped(
  rows: AsyncIterable<Buffer>,
  columns: readonly string[],
  bytesMax: number,
): AsyncGenerator<Buffer> {
  const entries: Entry[] = [];
  let at = 0;
  const open = (name: string, content?: Buffer): { entry: Entry; header: Buffer } => {
    const bytes = content?.length ?? 0;
    const crc = content ? crc32(content) : 0;
    const entry: Entry = { name, streamed: !content, crc, bytes, packedBytes: bytes, at };
    entries.push(entry);
    return { entry, header: localHeader(entry) };
  };
  for (const [name, content] of Object.entries(FIXED)) {
    const data = Buffer.from(content);
    const { header } = open(name, data);
    at += header.length + data.length;
    yield Buffer.concat([header, data]);
  }
  const { entry, header } = open('xl/worksheets/sheet1.xml');
  yield header;
  const deflate = createDeflateRaw({ level: 1, chunkSize: CHUNK_BYTES });
  // What is read below tells of its failure.
  pipeline(Readable.from(measured(sheetXml(rows, columns), entry, bytesMax)), deflate, () => undefined);
  for await (const chunk of deflate as AsyncIterable<Buffer>) {
    entry.packedBytes += chunk.length;
    yield chunk;
  }
  const descriptor = Buffer.alloc(16);
  descriptor.writeUInt32LE(0x08074b50, 0);
  writeSizes(descriptor, 4, entry);
  at += header.length + entry.packedBytes + descriptor.length;
  if (at > bytesMax) throw new SheetTooLarge();
  const directory = Buffer.concat(entries.map((one) => directoryEntry(one)));
  yield Buffer.concat([descriptor, directory, endOfDirectory(entries.length, directory.length, at)]);
}

async function* sheetXml(rows: AsyncIterable<Buffer>, columns: readonly string[]): AsyncGenerator<Buffer> {
  const header = columns.map(
    (name, index) => `<c r="${columnLetters(index)}1" t="inlineStr"><is><t>${xmlText(name)}</t></is></c>`,
  );
  yield Buffer.from(`${SHEET_BEGIN}<row r="1">${header.join('')}</row>\n`);
  yield* rows;
  yield Buffer.from('</sheetData></worksheet>');
}

async function* measured(
  content: AsyncIterable<Buffer>,
  entry: Entry,
  bytesMax: number,
): AsyncGenerator<Buffer> {
  for await (const chunk of content) {
    entry.crc = crc32(chunk, entry.crc);
    entry.bytes += chunk.length;
    if (entry.bytes > bytesMax) throw new SheetTooLarge();
    yield chunk;
  }
}

function xmlText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

const VERSION = 20;
/** Lengths follow the data; names are UTF-8. */
const STREAMED_FLAG = 0x08;
const UTF8_FLAG = 0x800;

/** What local header and directory have in common, from the version on. */
function describe(buffer: Buffer, from: number, { streamed }: Entry): void {
  buffer.writeUInt16LE(VERSION, from);
  buffer.writeUInt16LE(UTF8_FLAG | (streamed ? STREAMED_FLAG : 0), from + 2);
  buffer.writeUInt16LE(streamed ? 8 : 0, from + 4);
  buffer.writeUInt16LE(DOS_DATE, from + 8);
}

function writeSizes(buffer: Buffer, from: number, { crc, packedBytes, bytes }: Entry): void {
  buffer.writeUInt32LE(crc, from);
  buffer.writeUInt32LE(packedBytes, from + 4);
  buffer.writeUInt32LE(bytes, from + 8);
}

function localHeader(entry: Entry): Buffer {
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  describe(header, 4, entry);
  writeSizes(header, 14, entry);
  header.writeUInt16LE(entry.name.length, 26);
  return Buffer.concat([header, Buffer.from(entry.name)]);
}

function directoryEntry(entry: Entry): Buffer {
  const record = Buffer.alloc(46);
  record.writeUInt32LE(0x02014b50, 0);
  record.writeUInt16LE(VERSION, 4);
  describe(record, 6, entry);
  writeSizes(record, 16, entry);
  record.writeUInt16LE(entry.name.length, 28);
  record.writeUInt32LE(entry.at, 42);
  return Buffer.concat([record, Buffer.from(entry.name)]);
}

function endOfDirectory(entries: number, bytes: number, at: number): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries, 8);
  end.writeUInt16LE(entries, 10);
  end.writeUInt32LE(bytes, 12);
  end.writeUInt32LE(at, 16);
  return end;
}

const XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';
const MAIN = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main';
const RELATIONSHIPS = 'http://schemas.openxmlformats.org/package/2006/relationships';
const OFFICE = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';
const SPREADSHEET = 'application/vnd.openxmlformats-officedocument.spreadsheetml';

const SHEET_BEGIN = `${XML}<worksheet xmlns="${MAIN}"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetFormatPr defaultColWidth="20" defaultRowHeight="15"/><sheetData>`;

/** Everything but the sheet. */
const FIXED = {
  '[Content_Types].xml': `${XML}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="${SPREADSHEET}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="${SPREADSHEET}.worksheet+xml"/><Override PartName="/xl/styles.xml" ContentType="${SPREADSHEET}.styles+xml"/></Types>`,
  '_rels/.rels': `${XML}<Relationships xmlns="${RELATIONSHIPS}"><Relationship Id="rId1" Type="${OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
  'xl/workbook.xml': `${XML}<workbook xmlns="${MAIN}" xmlns:r="${OFFICE}"><sheets><sheet name="Export" sheetId="1" r:id="rId1"/></sheets></workbook>`,
  'xl/_rels/workbook.xml.rels': `${XML}<Relationships xmlns="${RELATIONSHIPS}"><Relationship Id="rId1" Type="${OFFICE}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="${OFFICE}/styles" Target="styles.xml"/></Relationships>`,
  'xl/styles.xml': `${XML}<styleSheet xmlns="${MAIN}"><numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/><numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts><fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/><xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/><xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>`,
} as const;
