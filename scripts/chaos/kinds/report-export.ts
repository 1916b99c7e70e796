/** Exports of a few thousand rows, in every format: the file must hold exactly the rows, and be what the API says of it. */
import { createHash } from 'node:crypto';
import type { Client } from '../../../libs/client/client.js';
import type { ArtifactLink } from '../../../libs/client/job.types.js';
import type { Violation } from '../violation.js';
import { readExported, type FileForm } from './export-files.js';
import { COLUMN_NAMES, DATASET, fillSource, rowOf, SOURCE_ROWS, sourceEnvironment } from './export-source.js';
import type { ChaosKind, EndedJob, Findings } from './kind.js';

interface ExportInput extends FileForm {
  readonly dataset: string;
  readonly version: number;
  readonly filter: { readonly line_id: { readonly lte: number } };
}

const FORMS: readonly (FileForm & { readonly weight: number })[] = [
  { weight: 3, format: 'csv' },
  { weight: 1, format: 'csv', compression: 'gzip' },
  { weight: 1, format: 'csv', compression: 'zstd' },
  { weight: 2, format: 'ndjson' },
  { weight: 1, format: 'ndjson', compression: 'gzip' },
  { weight: 1, format: 'xlsx' },
  { weight: 2, format: 'parquet' },
  { weight: 1, format: 'parquet', compression: 'zstd' },
];
/** From a file of one part to one of four. */
const ROWS: readonly number[] = [40, 2_000, 4_500, SOURCE_ROWS];
const FETCHED_AT_ONCE = 4;
const FETCH_TIMEOUT_MS = 30_000;

/** `report.export` under chaos. */
export function reportExportChaos(): ChaosKind {
  return {
    kind: 'report.export',
    weight: 1,
    input(number, draw): ExportInput {
      const { weight: _, ...form } = draw.weighted(FORMS);
      return { dataset: DATASET, version: number, ...form, filter: { line_id: { lte: draw.oneOf(ROWS) } } };
    },
    environment: sourceEnvironment,
    prepare: (stack) => fillSource(stack.run.databaseUrl),
    audit: auditExports,
  };
}

/** A file read once; its equals, by checksum, need no reading. */
type Known = Map<string, Promise<string | undefined>>;

async function auditExports(jobs: readonly EndedJob[]): Promise<Findings> {
  const succeeded = jobs.filter(({ job }) => job.status === 'SUCCEEDED');
  const known: Known = new Map();
  const violations: Violation[] = [];
  const queue = succeeded.values();
  const lane = async (): Promise<void> => {
    for (const ended of queue) {
      const detail = await wrongWith(ended, known).catch(
        (error: unknown) => `it cannot be had: ${String(error)}`,
      );
      if (detail !== undefined)
        violations.push({ rule: 'a file is what it says', jobId: ended.job.id, detail });
    }
  };
  await Promise.all(Array.from({ length: FETCHED_AT_ONCE }, lane));
  return { violations, facts: `${succeeded.length} files fetched, ${known.size} of them different and read` };
}

/** What is wrong with a job's file; undefined: nothing. `known`: by checksum, what was read before. */
export async function wrongWith(
  { input, client, job }: Pick<EndedJob, 'input' | 'job'> & { readonly client: Pick<Client, 'artifact'> },
  known: Known,
): Promise<string | undefined> {
  const asked = input as ExportInput;
  const link = await client.artifact(job.id);
  const response = await fetch(link.url, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
  if (!response.ok) return `its URL answers ${response.status}`;
  const file = Buffer.from(await response.arrayBuffer());
  const sha256 = createHash('sha256').update(file).digest('hex');
  if (file.length !== link.bytes || sha256 !== link.sha256)
    return `${file.length} bytes with SHA-256 ${sha256} arrived; announced are ${link.bytes} with ${link.sha256}`;
  const rows = asked.filter.line_id.lte;
  const told = job.result as Partial<ArtifactLink> | null;
  if (link.rows !== rows || told?.rows !== rows || told.sha256 !== sha256)
    return `the link says ${link.rows} rows, the result ${told?.rows} rows and ${told?.sha256}; asked for were ${rows}`;
  const key = `${asked.format} ${asked.compression} ${rows} ${sha256}`;
  const seen = known.get(key) ?? differenceIn(file, asked, rows);
  known.set(key, seen);
  return seen;
}

/** The first difference between the file and the rows it should hold. */
export async function differenceIn(file: Buffer, form: FileForm, rows: number): Promise<string | undefined> {
  const found = await readExported(file, form, COLUMN_NAMES).catch((error: unknown) => String(error));
  if (typeof found === 'string') return `it cannot be read: ${found}`;
  if (found.length !== rows) return `it holds ${found.length} rows; asked for were ${rows}`;
  for (const [index, row] of found.entries()) {
    const expected = rowOf(index + 1).map((cell) => emptied(cell, form));
    if (JSON.stringify(row.map((cell) => emptied(cell, form))) !== JSON.stringify(expected))
      return `row ${index + 1} is ${JSON.stringify(row)}; expected ${JSON.stringify(expected)}`;
  }
  return undefined;
}

/** A worksheet cannot tell an empty text from no text. */
function emptied(cell: string | null, { format }: FileForm): string | null {
  return format === 'xlsx' && cell === '' ? null : cell;
}
