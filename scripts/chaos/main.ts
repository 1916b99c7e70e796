/** `npm run chaos -- --seed N --jobs N`: real jobs while everything is killed and stopped; then an audit from outside. */
import { Command, InvalidArgumentError } from 'commander';
import { action, CommandError } from '../../apps/cli/command.error.js';
import { openStatusLine, openTerminal, type Terminal } from '../../apps/cli/terminal.js';
import { runChaos, type ChaosResult } from './chaos.run.js';
import { renderCounts, renderHit, renderPlan, renderProgress } from './chaos.view.js';
import { chaosKinds } from './kinds/index.js';
import { renderSummary, renderVerdict, renderViolations } from './verdict.view.js';

interface Flags {
  readonly seed: number;
  readonly jobs: number;
  readonly every: number;
  readonly faultEvery: number;
  readonly faults: boolean;
  readonly limit: number;
  readonly keep?: true;
}

const SEED_DEFAULT = 1;
const JOBS_DEFAULT = 100;
const COUNT_MAX = 1_000_000;
const EVERY_DEFAULT_MS = 450;
const FAULT_EVERY_DEFAULT_MS = 4_000;
const LIMIT_DEFAULT_MINUTES = 60;
const MS_PER_MINUTE = 60_000;
const EXIT_INTERRUPTED = 130;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

await new Command('chaos')
  .usage('[options]   (npm run chaos -- [options])')
  .description('Runs jobs on a stack of its own while it is killed and stopped by a plan; then audits it.')
  .option('--seed <number>', 'of the plan', parseSeed, SEED_DEFAULT)
  .option('--jobs <count>', 'how many', parseCount, JOBS_DEFAULT)
  .option('--every <ms>', 'between two submissions, on average', parseCount, EVERY_DEFAULT_MS)
  .option('--fault-every <ms>', 'between two faults, on average', parseCount, FAULT_EVERY_DEFAULT_MS)
  .option('--no-faults', 'disturb nothing')
  .option('--limit <minutes>', 'give up after this long', parseCount, LIMIT_DEFAULT_MINUTES)
  .option('--keep', 'keep the home, to look at it')
  .action(action(chaos))
  .parseAsync();

async function chaos(flags: Flags): Promise<void> {
  const terminal = openTerminal();
  const line = openStatusLine(terminal);
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort(new CommandError('Interrupted.', EXIT_INTERRUPTED));
  for (const name of SIGNALS) process.on(name, interrupt);
  const timer = setTimeout(
    () => interrupted.abort(new CommandError(`Not done within ${flags.limit} minutes (--limit).`)),
    flags.limit * MS_PER_MINUTE,
  );
  const startedAt = performance.now();
  const print = (text: string): void => line.end(text);
  const result = await runChaos({
    seed: flags.seed,
    jobs: flags.jobs,
    everyMs: flags.every,
    faultEveryMs: flags.faults ? flags.faultEvery : undefined,
    kinds: chaosKinds(flags.seed),
    keep: flags.keep === true,
    signal: interrupted.signal,
    on: {
      stage: print,
      plan: (plan) => renderPlan(plan).forEach(print),
      hit: (hit, afterMs) => print(renderHit(hit, afterMs)),
      progress(counts, about) {
        const { percent, text } = renderCounts(counts, { planned: flags.jobs, ...about });
        line.update(renderProgress(percent, text), text);
      },
    },
  }).finally(() => {
    clearTimeout(timer);
    SIGNALS.forEach((name) => process.off(name, interrupt));
  });
  line.end();
  report(result, terminal, performance.now() - startedAt, flags.keep === true);
}

function report(result: ChaosResult, terminal: Terminal, tookMs: number, kept: boolean): void {
  renderSummary(result, tookMs).forEach((text) => terminal.print(text));
  const { violations, home } = result;
  if (kept) terminal.print(`home      ${home}`);
  renderViolations(violations, home, kept).forEach((text) => terminal.print(text));
  const verdict = renderVerdict(result);
  if (violations.length > 0) throw new CommandError(verdict);
  terminal.print(verdict);
}

function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0 && count <= COUNT_MAX) return count;
  throw new InvalidArgumentError('expected a whole number from 1 to 1000000.');
}

function parseSeed(text: string): number {
  const seed = Number(text);
  if (Number.isInteger(seed) && seed >= 0 && seed <= 0xffffffff) return seed;
  throw new InvalidArgumentError('expected a whole number from 0 to 4294967295.');
}
