/** `npm run bench -- NAME`: measures Longhaul beside what it is compared with. */
import { readFileSync, writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { action, CommandError } from '../apps/cli/command.error.js';
import { StackError } from '../libs/embedded/stack-error.js';
import type { BenchTools } from './support/bench.js';
import { renderChart } from './support/chart.js';
import { renderLine } from './support/line.js';
import type { Report } from './support/report.js';
import { formatFigure, renderReport } from './support/table.js';

interface CommonFlags {
  readonly rounds: number;
  readonly home?: string;
  readonly json?: string;
  readonly svg?: string;
  readonly limit: number;
}

const MS_PER_MINUTE = 60_000;
const LIMIT_DEFAULT_MINUTES = 15;
const EXPORT_ROWS = 3_000_000;
const EXPORT_ROUNDS = 5;
const FORMATS_ROWS = 1_000_000;
const FORMATS_ROUNDS = 3;
const MEMORY_FEW = 1_000_000;
const MEMORY_MANY = 10_000_000;
const MEMORY_ROUNDS = 1;
// Short rounds, and many: what happens to a shared machine meanwhile happens to all contenders.
const ENGINE_ROUNDS = 9;
const ENGINE_JOBS = 100;
const ENGINE_IN_FLIGHT = 20;
const FANOUT_ROUNDS = 5;
const FANOUT_ENDPOINTS = 1_000;
const FANOUT_EVENTS = 20;
const ISOLATION_ROUNDS = 5;
const ISOLATION_ENDPOINTS = 200;
const ISOLATION_FLOOD = 20;
const ISOLATION_PROBES = 5;
const ACCEPT_ROUNDS = 3;
const ACCEPT_RATE = 500;
const ACCEPT_CONNECTIONS = 50;
const ACCEPT_SECONDS = 5;

const program = new Command('bench')
  .usage('NAME [options]   (npm run bench -- NAME [options])')
  .description(
    'Measures Longhaul beside its baselines, in turn; starts what it needs and leaves nothing behind.',
  )
  .showHelpAfterError('(npm run bench -- --help lists the benches)');

bench('export', 'a CSV export from POST to SUCCEEDED; psql \\copy of the same SQL; a cursor', EXPORT_ROUNDS)
  .option('--rows <count>', 'how many flights', parseCount, EXPORT_ROWS)
  .option('--no-cursor', 'leave the cursor out: it takes most of the time')
  .action(
    measuring<{ rows: number; cursor: boolean }>(async (flags, tools) => {
      const { benchExport } = await import('./export.bench.js');
      return benchExport({ rows: flags.rows, rounds: flags.rounds, cursor: flags.cursor }, tools);
    }),
  );

bench('accept', 'POST /jobs at a rate and at saturation; longhaul.accept without HTTP; BullMQ', ACCEPT_ROUNDS)
  .option('--rate <count>', 'requests a second of the steady part', parseCount, ACCEPT_RATE)
  .option('--connections <count>', 'of HTTP', parseCount, ACCEPT_CONNECTIONS)
  .option('--seconds <count>', 'how long each part takes', parseCount, ACCEPT_SECONDS)
  .action(
    measuring<{ rate: number; connections: number; seconds: number }>(async (flags, tools) => {
      const { benchAccept } = await import('./accept.bench.js');
      const { rate, connections, seconds, rounds } = flags;
      return benchAccept({ rate, connections, seconds, rounds }, tools);
    }),
  );

bench(
  'engine',
  'sagas of three steps; the same three activities in a workflow written by hand',
  ENGINE_ROUNDS,
)
  .option('--jobs <count>', 'workflows a round', parseCount, ENGINE_JOBS)
  .option('--in-flight <count>', 'workflows at a time', parseCount, ENGINE_IN_FLIGHT)
  .option('--no-variants', 'leave out the other ways to write it by hand')
  .action(
    measuring<{ jobs: number; inFlight: number; variants: boolean }>(async (flags, tools) => {
      const { benchEngine } = await import('./engine.bench.js');
      const { jobs, inFlight, variants, rounds } = flags;
      return benchEngine({ jobs, inFlight, variants, rounds }, tools);
    }),
  );

bench('fanout', 'events to many endpoints; a bare undici loop; a BullMQ worker', FANOUT_ROUNDS)
  .option('--endpoints <count>', 'that subscribe', parseCount, FANOUT_ENDPOINTS)
  .option('--events <count>', 'to each of them', parseCount, FANOUT_EVENTS)
  .action(
    measuring<{ endpoints: number; events: number }>(async (flags, tools) => {
      const { benchFanout } = await import('./fanout.bench.js');
      const { endpoints, events, rounds } = flags;
      return benchFanout({ endpoints, events, rounds }, tools);
    }),
  );

bench(
  'isolation',
  'the time until a job starts while other kinds are flooded; the same while nothing else runs',
  ISOLATION_ROUNDS,
)
  .option('--endpoints <count>', 'that get each event of the flood', parseCount, ISOLATION_ENDPOINTS)
  .option('--flood <count>', 'jobs of each flooded kind open at any time', parseCount, ISOLATION_FLOOD)
  .option('--probes <count>', 'jobs of each watched kind a round', parseCount, ISOLATION_PROBES)
  .action(
    measuring<{ endpoints: number; flood: number; probes: number }>(async (flags, tools) => {
      const { benchIsolation } = await import('./isolation.bench.js');
      const { endpoints, flood, probes, rounds } = flags;
      return benchIsolation({ endpoints, flood, probes, rounds }, tools);
    }),
  );

bench('formats', 'the same rows in every format and compression', FORMATS_ROUNDS)
  .option('--rows <count>', 'how many flights', parseCount, FORMATS_ROWS)
  .option('--formats <names...>', 'only these, e.g. csv csv+gzip')
  .action(
    measuring<{ rows: number; formats?: string[] }>(async (flags, tools) => {
      const { benchFormats } = await import('./formats.bench.js');
      return benchFormats({ rows: flags.rows, rounds: flags.rounds, formats: flags.formats }, tools);
    }),
  );

bench('memory', 'a worker’s peak memory over few rows and over many, in every streamed format', MEMORY_ROUNDS)
  .option('--few <count>', 'how many flights first', parseCount, MEMORY_FEW)
  .option('--many <count>', 'and how many then', parseCount, MEMORY_MANY)
  .option('--formats <names...>', 'only these, e.g. csv csv+gzip')
  .action(
    measuring<{ few: number; many: number; formats?: string[] }>(async (flags, tools) => {
      const { benchMemory } = await import('./memory.bench.js');
      const { few, many, rounds, formats } = flags;
      return benchMemory({ few, many, rounds, formats }, tools);
    }),
  );

program
  .command('chart')
  .description('draw the figures of a --json file')
  .argument('<json>')
  .argument('<svg>')
  .action(
    action(async (json: string, svg: string) => {
      writeFileSync(svg, renderChart(JSON.parse(readFileSync(json, 'utf8')) as Report));
    }),
  );

await program.parseAsync();

function bench(name: string, description: string, rounds: number): Command {
  return program
    .command(name)
    .description(description)
    .option('--rounds <count>', 'measured rounds, after one that warms up', parseCount, rounds)
    .option(
      '--home <folder>',
      'keep the stack in this home and reuse what is loaded; default: a temporary one',
    )
    .option('--json <file>', 'write the figures there')
    .option('--svg <file>', 'draw them there')
    .option('--limit <minutes>', 'give up after this long', parseCount, LIMIT_DEFAULT_MINUTES);
}

function measuring<F>(
  run: (flags: F & CommonFlags, tools: BenchTools) => Promise<Report>,
): (flags: F & CommonFlags) => Promise<void> {
  return action(async (flags) => {
    const say = (text: string): void => void process.stderr.write(`${text}\n`);
    const tools: BenchTools = {
      home: flags.home,
      limitMs: flags.limit * MS_PER_MINUTE,
      say,
      onSample: (name, round, { value }) =>
        say(`${round < 0 ? 'warm-up' : `round ${round + 1}`}  ${name}: ${formatFigure(value)}`),
    };
    const report = await run(flags, tools).catch((error: unknown) => {
      throw error instanceof StackError ? new CommandError(error.message) : error;
    });
    process.stdout.write(`${renderReport(report)}\n`);
    if (flags.json !== undefined) writeFileSync(flags.json, `${JSON.stringify(report, null, 2)}\n`);
    if (flags.svg !== undefined) writeFileSync(flags.svg, renderChart(report));
    process.stdout.write(`${renderLine(report)}\n`);
  });
}

function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new InvalidArgumentError('expected a whole number above 0.');
}
