/** Reads what a document is made of, all of one moment: a head, its lines, and the bars of its figure. */
import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { Dataset } from '../datasets/datasets.js';
import { columnSql, EVERY_KEY, quoted, rowsSql, type SelectionTenant } from '../datasets/select.sql.js';
import type { Source } from '../datasets/sources.js';
import { BARS_MAX } from './bar-chart.js';
import { DocumentRefusal } from './document.refusal.js';
import { OBJECT_PARAMETER, VERSION_PARAMETER, type DocumentTemplate } from './document-templates.js';
import type { DocumentRows, Row } from './letter.js';

const FETCH_ROWS = 1_000;
/** Of one value, in characters: a page holds about as many. */
const TEXT_LENGTH_MAX = 4_000;
/** Of all values together, in characters: what layout is given to hold. */
const CHARACTERS_MAX = 8_000_000;

export interface DocumentObject {
  readonly object: string;
  readonly version: number;
}

export interface ReadOptions {
  readonly tenant: SelectionTenant;
  readonly rowsMax: number;
  readonly signal: AbortSignal;
}

/** Throws DocumentRefusal where there is no such object, or more of it than a document holds. */
export async function readDocumentRows(
  source: Source,
  template: DocumentTemplate,
  wanted: DocumentObject,
  { tenant, rowsMax, signal }: ReadOptions,
): Promise<DocumentRows> {
  return source.atOneMoment(
    async (connection) => {
      const reader = createReader(connection, wanted, tenant);
      const [head, second] = await reader.read(template.head, 2);
      if (!head) {
        throw new DocumentRefusal(
          'object_not_found',
          `Dataset "${template.head.name}" has no "${wanted.object}" in version ${wanted.version}.`,
        );
      }
      if (second) {
        throw new DocumentRefusal(
          'object_ambiguous',
          `Dataset "${template.head.name}" answers more than one row for "${wanted.object}" in version ${wanted.version}.`,
        );
      }
      const lines = await reader.read(template.lines, rowsMax + 1);
      if (lines.length > rowsMax) {
        throw new DocumentRefusal(
          'too_many_rows',
          `The document has more than ${rowsMax} lines (LONGHAUL_DOCUMENT_ROWS_MAX). Export them as a file instead, or split the object.`,
        );
      }
      const figure = template.figure ? await reader.read(template.figure, BARS_MAX + 1) : [];
      return { head, lines, figure };
    },
    { signal },
  );
}

/** SHA-256 of the rows as they were read: the same rows, the same digest. */
export function digestOf(rows: DocumentRows): string {
  return createHash('sha256').update(JSON.stringify(rows)).digest('hex');
}

function createReader(
  connection: pg.ClientBase,
  { object, version }: DocumentObject,
  tenant: SelectionTenant,
) {
  let characters = 0;
  const count = (dataset: Dataset, row: Row): void => {
    for (const [column, text] of Object.entries(row)) {
      const length = text?.length ?? 0;
      characters += length;
      if (length <= TEXT_LENGTH_MAX && characters <= CHARACTERS_MAX) continue;
      throw new DocumentRefusal(
        'text_too_long',
        length > TEXT_LENGTH_MAX
          ? `Column "${column}" of dataset "${dataset.name}" has a text of more than ${TEXT_LENGTH_MAX} characters.`
          : `The rows have more than ${CHARACTERS_MAX} characters. Export them as a file instead.`,
      );
    }
  };
  return {
    /** At most so many rows in the order of the dataset's key, every value as PostgreSQL writes it. */
    async read(dataset: Dataset, limit: number): Promise<Row[]> {
      const given = { [OBJECT_PARAMETER]: object, [VERSION_PARAMETER]: version };
      const parameters = Object.fromEntries(
        Object.entries(given).filter(([parameter]) => dataset.parameters.has(parameter)),
      );
      const columns = [...dataset.columns.keys()].map(
        // One character more than is allowed shows that there was more.
        (column) => `left(${columnSql(dataset, column)}::text, ${TEXT_LENGTH_MAX + 1}) as ${quoted(column)}`,
      );
      const sql = rowsSql(dataset, { dataset: dataset.name, parameters }, tenant, columns, EVERY_KEY);
      await connection.query(`declare document_rows no scroll cursor for ${sql} limit ${limit}`);
      const rows: Row[] = [];
      for (let fetched = FETCH_ROWS; fetched === FETCH_ROWS;) {
        const batch = await connection.query<Record<string, string | null>>(
          `fetch ${FETCH_ROWS} from document_rows`,
        );
        for (const row of batch.rows) count(dataset, row);
        rows.push(...batch.rows);
        fetched = batch.rows.length;
      }
      await connection.query('close document_rows');
      return rows;
    },
  };
}
