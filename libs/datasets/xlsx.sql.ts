/**
 * The rows of an XLSX sheet as PostgreSQL writes them: XML, a row a line. Text is an inline string, which no spreadsheet
 * runs, so it needs no guard. A number that Excel would round, and a date it does not know, is text.
 */
import type { Dataset } from './datasets.js';
import {
  columnSql,
  copyLinesSql,
  quoted,
  rowsSql,
  type DescribedColumn,
  type PartRows,
  type SelectionTenant,
} from './select.sql.js';
import type { Selection } from './selection.js';
import { OID } from './type-oids.js';

/** What Excel holds in a cell, in UTF-16's units. */
export const CELL_TEXT_MAX = 32_767;
/** The styles of `xl/styles.xml`, by their place. */
const [DATE_STYLE, TIMESTAMP_STYLE] = [1, 2];

/** Types that have cells of their own kind; all others are text, and may be long. */
const NOT_TEXT: ReadonlySet<number> = new Set([
  ...[OID.bool, OID.int2, OID.int4, OID.int8, OID.oid, OID.float4, OID.float8, OID.numeric],
  ...[OID.date, OID.timestamp, OID.timestamptz],
]);

/** Not the name of any dataset's column. */
const PLACE = '"_place"';

/** `COPY (…) TO STDOUT` of the whole sheet's rows; the first of them is the sheet's second. */
export function xlsxRowsSql(
  dataset: Dataset,
  selection: Selection,
  tenant: SelectionTenant,
  part: PartRows,
): string {
  const columns = part.columns.map(({ name }) => columnSql(dataset, name));
  const ordered = rowsSql(dataset, selection, tenant, columns, part.range);
  const placed = `select o.*, (row_number() over () + 1)::text as ${PLACE} from (${ordered}) o`;
  const cells = part.columns.map((column, index) => cellSql(column, columnLetters(index)));
  const row = [`'<row r="' || r.${PLACE} || '">'`, ...cells, `'</row>'`].join(' || ');
  return copyLinesSql(`select ${row} from (${placed}) r`);
}

/** Whether any cell of a row is longer than Excel takes; undefined when no column could be. */
export function longestCellSql(dataset: Dataset, columns: readonly DescribedColumn[]): string | undefined {
  const texts = columns.filter(({ dataTypeID }) => !NOT_TEXT.has(dataTypeID));
  const lengths = texts.map(({ name }) => {
    const text = `${columnSql(dataset, name)}::text`;
    // Characters past the first plane are two units; the bytes are counted first, because that is quick.
    return `case when octet_length(${text}) > ${CELL_TEXT_MAX}
      then char_length(${text}) + char_length(regexp_replace(${text}, '[\\u0001-\\uFFFF]', '', 'g')) end`;
  });
  return lengths.length === 0 ? undefined : `max(greatest(${lengths.join(', ')}))`;
}

/** A, B, …, Z, AA, … */
export function columnLetters(index: number): string {
  const letter = String.fromCharCode(65 + (index % 26));
  return index < 26 ? letter : columnLetters(Math.floor(index / 26) - 1) + letter;
}

/** Text between tags; what XML cannot hold is written as ECMA-376 has it (22.9.2.19), e.g. `_x0001_`. */
export function xmlTextSql(text: string): string {
  const plain = `replace(replace(replace(${text}, '&', '&amp;'), '<', '&lt;'), '>', '&gt;')`;
  const codes = Array.from({ length: 31 }, (_, index) => index + 1).filter(
    (code) => code !== 9 && code !== 10,
  );
  const escaped = codes.reduce(
    (sql, code) => `replace(${sql}, E'\\x${hex(code, 2)}', '_x${hex(code, 4)}_')`,
    // A line end is text, but as itself COPY would take it for its own.
    `replace(regexp_replace(${plain}, '_(?=x[0-9A-Fa-f]{4}_)', '_x005F_', 'g'), E'\\n', '&#10;')`,
  );
  const noncharacters = ['FFFE', 'FFFF'].reduce(
    (sql, code) => `regexp_replace(${sql}, '\\u${code}', '_x${code}_', 'g')`,
    escaped,
  );
  return `case when ${text} ~ '[\\u0001-\\u0008\\u000A-\\u001F\\uFFFE\\uFFFF]|_x[0-9A-Fa-f]{4}_' then ${noncharacters} else ${plain} end`;
}

function hex(code: number, digits: number): string {
  return code.toString(16).toUpperCase().padStart(digits, '0');
}

function cellSql({ name, dataTypeID }: DescribedColumn, letters: string): string {
  const value = `r.${quoted(name)}`;
  const cell = (attributes: string, content: string): string =>
    `'<c r="${letters}' || r.${PLACE} || '"${attributes}>' || ${content} || '</c>'`;
  const number = (sql: string, style = ''): string => cell(style, `'<v>' || ${sql} || '</v>'`);
  const text = cell(
    ' t="inlineStr"',
    `'<is><t xml:space="preserve">' || ${xmlTextSql(`${value}::text`)} || '</t></is>'`,
  );
  const where = (condition: string, then: string): string =>
    `case when ${condition} then ${then} else ${text} end`;
  // NULL swallows the whole cell: one that is not there is empty.
  return `coalesce(${cellOfType()}, '')`;

  function cellOfType(): string {
    switch (dataTypeID) {
      case OID.bool:
        return cell(' t="b"', `'<v>' || ${value}::int || '</v>'`);
      case OID.int2:
      case OID.int4:
      case OID.oid:
        return number(value);
      case OID.float4:
      case OID.float8:
        return where(`${value} > '-Infinity' and ${value} < 'Infinity'`, number(value));
      case OID.int8:
        return where(`${value} between -999999999999999 and 999999999999999`, number(value));
      case OID.numeric: {
        const digits = `translate(${value}::text, '-.', '')`;
        // Fifteen digits survive in a double; NaN and the infinities have other characters.
        return where(
          `translate(${digits}, '0123456789', '') = '' and length(ltrim(${digits}, '0')) <= 15`,
          number(value),
        );
      }
      case OID.date:
        return where(
          inExcelsDays(value, 'date'),
          number(`(${value} - date '1899-12-30')`, ` s="${DATE_STYLE}"`),
        );
      case OID.timestamp:
      case OID.timestamptz:
        return where(
          inExcelsDays(value, dataTypeID === OID.timestamp ? 'timestamp' : 'timestamptz'),
          number(`(extract(epoch from ${value})::float8 / 86400 + 25569)`, ` s="${TIMESTAMP_STYLE}"`),
        );
      default:
        return text;
    }
  }
}

/** From the day on which Excel's calendar is right: it has a 29th of February 1900. */
function inExcelsDays(value: string, type: string): string {
  return `${value} >= ${type} '1900-03-01' and ${value} < ${type} '10000-01-01'`;
}
