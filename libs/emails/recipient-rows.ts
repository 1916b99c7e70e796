/** An uploaded list, read as it arrives: rows of CSV (RFC 4180, with a header) or lines of JSON, one recipient each. */
import { pipeline, Readable } from 'node:stream';
import { CsvError, parse, type Parser } from 'csv-parse';
import { parseAddress } from './address.js';
import { VariableName, VARIABLES_MAX, TEXT_LENGTH_MAX, type Value } from './variables.js';

export type RowFormat = 'csv' | 'ndjson';

/** One of a list. */
export interface Recipient {
  readonly address: string;
  readonly name?: string;
  readonly values: Readonly<Record<string, Value>>;
}

/** What it gives a template: its columns, its name among them. */
export function valuesIn({ name, values }: Recipient): Readonly<Record<string, Value>> {
  return name === undefined ? values : { name, ...values };
}

/** What a line came to. `line` is the first of the row, from 1. */
export type Row =
  | { readonly line: number; readonly recipient: Recipient; readonly problem?: undefined }
  | { readonly line: number; readonly problem: string; readonly recipient?: undefined };

/** The upload as a whole is not what it says it is: nothing after that can be told. */
export class UnreadableList extends Error {
  constructor(
    readonly line: number,
    message: string,
  ) {
    super(message);
    this.name = 'UnreadableList';
  }
}

const ROW_BYTES_MAX = 64 * 1024;
const NAME_LENGTH_MAX = 200;
const ADDRESS = 'address';
const NAME = 'name';
const ONE_LINE = /^[^\p{Cc}\u2028\u2029]*$/u;

/** Reads rows, each as soon as it is there. Throws {@link UnreadableList}. */
export async function* readRows(bytes: AsyncIterable<Buffer>, format: RowFormat): AsyncGenerator<Row, void> {
  yield* format === 'csv' ? csvRows(bytes) : ndjsonRows(bytes);
}

interface CsvRecord {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

async function* csvRows(bytes: AsyncIterable<Buffer>): AsyncGenerator<Row, void> {
  const parser: Parser = parse({
    bom: true,
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: ROW_BYTES_MAX,
  });
  // What goes wrong with either is thrown where the rows are read.
  pipeline(Readable.from(textOf(bytes)), parser, () => undefined);
  let columns: readonly string[] | undefined;
  let line = 1;
  try {
    for await (const { record, info } of parser as AsyncIterable<CsvRecord>) {
      line = info.lines - lineEndsIn(record);
      if (!columns) columns = headerOf(record);
      else yield csvRow(line, columns, record);
    }
  } catch (error) {
    if (error instanceof CsvError) throw new UnreadableList(line, `It is no CSV: ${reasonOf(error)}`);
    throw error;
  }
  if (!columns)
    throw new UnreadableList(1, 'It is empty; the first line names the columns, one of them "address".');
}

/** Within quoted cells. */
function lineEndsIn(record: readonly string[]): number {
  return record.reduce((sum, cell) => sum + (cell.match(/\r\n|\r|\n/g)?.length ?? 0), 0);
}

/** Without the library's quotation of the row, which has addresses in it. */
function reasonOf(error: CsvError): string {
  return error.code === 'CSV_MAX_RECORD_SIZE'
    ? `a row has more than ${ROW_BYTES_MAX} bytes.`
    : `${error.code}.`;
}

function headerOf(record: readonly string[]): readonly string[] {
  const columns = record.map((column) => column.trim());
  if (!columns.includes(ADDRESS)) {
    throw new UnreadableList(1, 'The first line must name the columns, one of them "address".');
  }
  if (columns.length > VARIABLES_MAX + 2)
    throw new UnreadableList(1, `There are more than ${VARIABLES_MAX + 2} columns.`);
  const seen = new Set<string>();
  for (const column of columns) {
    if (!VariableName.safeParse(column).success) {
      throw new UnreadableList(1, 'A column’s name is letters, digits and _, beginning with a letter.');
    }
    if (seen.has(column)) throw new UnreadableList(1, `Two columns are named "${column}".`);
    seen.add(column);
  }
  return columns;
}

function csvRow(line: number, columns: readonly string[], cells: readonly string[]): Row {
  if (cells.length !== columns.length) {
    return { line, problem: `The row has ${cells.length} cells; the first line names ${columns.length}.` };
  }
  return rowOf(line, Object.fromEntries(columns.map((column, index) => [column, cells[index] ?? ''])));
}

async function* ndjsonRows(bytes: AsyncIterable<Buffer>): AsyncGenerator<Row, void> {
  let rest = '';
  let line = 0;
  for await (const text of textOf(bytes)) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const one of lines) {
      line += 1;
      if (one.trim() !== '') yield jsonRow(line, one);
    }
    if (Buffer.byteLength(rest) > ROW_BYTES_MAX)
      throw new UnreadableList(line + 1, `A line has more than ${ROW_BYTES_MAX} bytes.`);
  }
  if (rest.trim() !== '') yield jsonRow(line + 1, rest);
}

function jsonRow(line: number, text: string): Row {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { line, problem: 'The line is no JSON.' };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { line, problem: 'Expected an object with an "address".' };
  }
  return rowOf(line, value as Readonly<Record<string, unknown>>);
}

function rowOf(line: number, fields: Readonly<Record<string, unknown>>): Row {
  const { [ADDRESS]: address, [NAME]: name, ...others } = fields;
  if (typeof address !== 'string') return { line, problem: 'Expected an "address", a text.' };
  const parsed = parseAddress(address);
  if (!parsed.ok) return { line, problem: parsed.problem };
  if (
    name !== undefined &&
    (typeof name !== 'string' || name.length > NAME_LENGTH_MAX || !ONE_LINE.test(name))
  ) {
    return { line, problem: `The name must be one line of at most ${NAME_LENGTH_MAX} characters.` };
  }
  const values: Record<string, Value> = {};
  for (const [column, value] of Object.entries(others)) {
    if (value === null || value === undefined) continue;
    if (!VariableName.safeParse(column).success) {
      return { line, problem: 'A field’s name is letters, digits and _, beginning with a letter.' };
    }
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
      return { line, problem: `"${column}" must be a text, a number, true or false.` };
    }
    if (typeof value === 'string' && (value.length > TEXT_LENGTH_MAX || value.includes('\0'))) {
      return {
        line,
        problem: `"${column}" has more than ${TEXT_LENGTH_MAX} characters, or a NUL among them.`,
      };
    }
    values[column] = value;
  }
  if (Object.keys(values).length > VARIABLES_MAX)
    return { line, problem: `There are more than ${VARIABLES_MAX} fields.` };
  const given = typeof name === 'string' ? name.trim() : '';
  return { line, recipient: { address: parsed.address, ...(given === '' ? {} : { name: given }), values } };
}

/** As text; throws where it is no UTF-8. */
async function* textOf(bytes: AsyncIterable<Buffer>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    for await (const chunk of bytes) yield decoder.decode(chunk, { stream: true });
    const rest = decoder.decode();
    if (rest !== '') yield rest;
  } catch (error) {
    if (error instanceof TypeError) throw new UnreadableList(1, 'It is not UTF-8.');
    throw error;
  }
}
