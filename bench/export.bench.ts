/** `export`: a CSV export from POST to SUCCEEDED, beside `psql \copy` of the same SQL and beside a cursor. */
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OUTPUT_SETTINGS } from '../libs/datasets/sources.js';
import { sha256OfFile } from '../libs/embedded/wheel.js';
import type { BenchTools } from './support/bench.js';
import { runExport } from './support/exports.js';
import {
  datasetNameOf,
  flightsSettings,
  prepareFlights,
  wholeSelect,
  type WholeSelect,
} from './support/flights.js';
import { processesOf, watchMemory } from './support/memory.js';
import { processorSeconds } from './support/processor-time.js';
import { flush, runToEnd } from './support/one-process.js';
import { describeMachine, summarise, type Report } from './support/report.js';
import { alternate, type Contender, type Sample } from './support/rounds.js';
import { withStack, type StackUnderBench } from './support/stack.js';

export interface ExportOptions {
  readonly rows: number;
  readonly rounds: number;
  readonly cursor: boolean;
}

const CURSOR = fileURLToPath(new URL('./cursor.main.js', import.meta.url));
const MS_PER_SECOND = 1_000;
const BYTES_PER_MB = 1e6;
/** What an export sets for its own session, so that the files are the same byte for byte. */
const SESSION = Object.entries(OUTPUT_SETTINGS)
  .map(([name, value]) => `-c ${name}=${value}`)
  .join(' ');

export async function benchExport(options: ExportOptions, tools: BenchTools): Promise<Report> {
  const { rows, rounds } = options;
  const startedAt = new Date().toISOString();
  const env = (home: string): NodeJS.ProcessEnv => flightsSettings(home, [rows]);
  const measured = await withStack({ ...tools, env }, async (stack) => {
    await prepareFlights(stack, [rows], tools.say);
    const whole = await wholeSelect(stack, rows);
    const same = expectSame();
    const contenders: Contender[] = [
      { name: 'Longhaul', run: () => ours(stack, rows, same) },
      { name: 'psql \\copy', run: (round) => psql(stack, rows, whole, round < 0 ? same : undefined) },
      ...(options.cursor
        ? [
            {
              name: 'cursor',
              run: (round: number) => cursor(stack, rows, whole, round < 0 ? same : undefined),
            },
          ]
        : []),
    ];
    return alternate(contenders, rounds, tools.onSample);
  });
  return {
    bench: 'export',
    title: `CSV export of ${rows.toLocaleString('en-US')} flights`,
    unit: 'rows/s',
    startedAt,
    machine: describeMachine(),
    options: { ...options },
    baseline: 'psql \\copy',
    contenders: summarise(measured, 'psql \\copy'),
    notes: [
      'Longhaul: from POST to SUCCEEDED as the client sees it; `seconds by the API` is createdAt to finishedAt.',
      'psql: the whole of the program, and the flush of its file. cursor: from its query to the flushed file.',
      'The files of all of them were the same, byte for byte.',
    ],
  };
}

/** The first checksum is everybody's. */
type ExpectSame = (who: string, sha256: string) => void;
function expectSame(): ExpectSame {
  let first: string | undefined;
  return (who, sha256) => {
    first ??= sha256;
    if (sha256 !== first) throw new Error(`${who} wrote another file: ${sha256} instead of ${first}`);
  };
}

async function ours(stack: StackUnderBench, rows: number, same: ExpectSame): Promise<Sample> {
  const { sample, sha256 } = await runExport(stack, { dataset: datasetNameOf(rows), rows, format: 'csv' });
  same('Longhaul', sha256);
  return sample;
}

async function psql(
  stack: StackUnderBench,
  rows: number,
  { select, copyOptions, readerUrl }: WholeSelect,
  same: ExpectSame | undefined,
): Promise<Sample> {
  const file = join(stack.scratch, 'psql.csv');
  const url = new URL(readerUrl);
  const env = {
    ...process.env,
    PGHOST: url.hostname,
    PGPORT: url.port,
    PGUSER: url.username,
    PGPASSWORD: url.password,
    PGDATABASE: url.pathname.slice(1),
    PGOPTIONS: SESSION,
  };
  const copy = `\\copy (${select}) to '${file}' with ${copyOptions}`.replaceAll('\n', ' ');
  return measure(stack, rows, 'psql', file, same, async (onPid) => {
    const startedAt = performance.now();
    await runToEnd('psql', ['-X', '-q', '-c', copy], { env, signal: stack.signal, onPid }).catch(
      explainMissing,
    );
    await flush(file);
    return performance.now() - startedAt;
  });
}

async function cursor(
  stack: StackUnderBench,
  rows: number,
  { select, readerUrl }: WholeSelect,
  same: ExpectSame | undefined,
): Promise<Sample> {
  const file = join(stack.scratch, 'cursor.csv');
  const env = {
    ...process.env,
    PGOPTIONS: SESSION,
    // The driver takes a timestamp for one of its own time zone.
    TZ: 'UTC',
    BENCH_URL: readerUrl,
    BENCH_SQL: select,
    BENCH_FILE: file,
  };
  return measure(stack, rows, 'node with the cursor', file, same, async (onPid) =>
    Number(await runToEnd(process.execPath, [CURSOR], { env, signal: stack.signal, onPid })),
  );
}

async function measure(
  { run }: StackUnderBench,
  rows: number,
  process: string,
  file: string,
  same: ExpectSame | undefined,
  work: (onPid: (pid: number) => void) => Promise<number>,
): Promise<Sample> {
  let pid: number | undefined;
  const backends = (): [string, number][] =>
    processesOf(run()).filter(([name]) => name.startsWith('postgres'));
  const memory = watchMemory(() => [...backends(), ...(pid === undefined ? [] : [[process, pid] as const])]);
  try {
    const processorBefore = processorSeconds(run());
    const ms = await work((started) => (pid = started));
    const processor = processorSeconds(run()) - processorBefore;
    const rss = memory.stop();
    same?.(process, await sha256OfFile(file));
    return {
      value: (rows / ms) * MS_PER_SECOND,
      figures: {
        seconds: ms / MS_PER_SECOND,
        'CPU seconds': processor,
        MB: (await stat(file)).size / BYTES_PER_MB,
      },
      rss,
    };
  } finally {
    memory.stop();
    await rm(file, { force: true });
  }
}

function explainMissing(error: unknown): never {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  throw new Error(
    'psql is not installed, and it is what exports are compared with (Debian: postgresql-client).',
    {
      cause: error,
    },
  );
}
