/** `longhaul jobs`: lists jobs, newest first. */
import { InvalidArgumentError, type Command } from 'commander';
import type { Job, JobStatus } from '../../../libs/client/job.types.js';
import { connect, type LocationOptions } from '../api-location.js';
import { action } from '../command.error.js';
import { renderJobsTable } from '../jobs-table.view.js';
import { openTerminal } from '../terminal.js';
import { withLocation } from './location.options.js';

interface JobsFlags extends LocationOptions {
  readonly kind?: string;
  readonly status?: JobStatus;
  readonly jobKey?: string;
  readonly parent?: string;
  readonly since?: string;
  readonly limit: number;
  readonly json?: true;
}

const STATUSES: readonly string[] = [
  'PENDING',
  'STARTED',
  'SUCCEEDED',
  'FAILED',
  'CANCELLED',
] satisfies JobStatus[];
const LIMIT_DEFAULT = 20;
const PAGE_SIZE_MAX = 200;

export function register(program: Command): void {
  withLocation(program.command('jobs'))
    .description('list jobs, newest first')
    .option('--kind <kind>', 'only of this kind')
    .option('--status <status>', `one of ${STATUSES.join(', ')}`, parseStatus)
    .option('--job-key <key>', 'only with this natural key')
    .option('--parent <id>', 'only those that this job started')
    .option('--since <time>', 'only created since then (RFC 3339)')
    .option('--limit <count>', 'how many at most', parseLimit, LIMIT_DEFAULT)
    .option('--json', 'print one JSON object a line')
    .action(action(jobs));
}

export function parseStatus(value: string): JobStatus {
  const status = value.toUpperCase();
  if (!STATUSES.includes(status)) throw new InvalidArgumentError(`Expected one of ${STATUSES.join(', ')}.`);
  return status as JobStatus;
}

export function parseLimit(value: string): number {
  const limit = Number(value);
  if (!Number.isInteger(limit) || limit < 1)
    throw new InvalidArgumentError('Expected a whole number from 1.');
  return limit;
}

async function jobs(flags: JobsFlags): Promise<void> {
  const client = await connect(flags);
  const { kind, status, jobKey: key, parent, since, limit } = flags;
  const found: Job[] = [];
  for await (const job of client.list({
    kind,
    status,
    key,
    parent,
    since,
    pageSize: Math.min(limit, PAGE_SIZE_MAX),
  })) {
    found.push(job);
    if (found.length >= limit) break;
  }
  if (flags.json) {
    for (const job of found) process.stdout.write(`${JSON.stringify(job)}\n`);
    return;
  }
  const terminal = openTerminal();
  if (found.length === 0) terminal.print('No jobs.');
  else renderJobsTable(found, terminal.paint).forEach((line) => terminal.print(line));
}
