/** Jobs as a table of text. Pure. */
import { stripVTControlCharacters } from 'node:util';
import type { Job, JobStatus } from '../../libs/client/job.types.js';
import { formatAge } from './figures.view.js';
import type { Paint } from './job.view.js';
import { toPlain, type Style } from './terminal.js';

const STATUS_STYLE: Readonly<Record<JobStatus, Style>> = {
  PENDING: 'dim',
  STARTED: 'cyan',
  SUCCEEDED: 'green',
  FAILED: 'red',
  CANCELLED: 'yellow',
};
const HEADINGS = ['ID', 'KIND', 'STATUS', 'PHASE', '%', 'AGE', 'KEY'] as const;

export function renderJobsTable(jobs: readonly Job[], paint: Paint, now = Date.now()): string[] {
  const rows = jobs.map((job) => [
    job.id,
    toPlain(job.kind),
    paint(STATUS_STYLE[job.status], job.status),
    job.phase,
    String(Math.floor(job.progress.percent)),
    formatAge(now - Date.parse(job.createdAt)),
    toPlain(job.key ?? '-'),
  ]);
  return renderTable([HEADINGS.map((heading) => paint('bold', heading)), ...rows]);
}

/** Columns as wide as their widest cell, two spaces between, none after the last. */
export function renderTable(rows: readonly (readonly string[])[]): string[] {
  const widthOf = (cell: string): number => stripVTControlCharacters(cell).length;
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => widthOf(row[column] ?? ''))),
  );
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === row.length - 1 ? cell : cell + ' '.repeat((widths[column] ?? 0) - widthOf(cell)),
      )
      .join('  ')
      .trimEnd(),
  );
}
