/** `longhaul submit KIND`: asks for a job, and with --wait follows it. */
import { readFile } from 'node:fs/promises';
import { text as readText } from 'node:stream/consumers';
import { InvalidArgumentError, type Command } from 'commander';
import { connect, type LocationOptions } from '../api-location.js';
import { action, CommandError } from '../command.error.js';
import { formatDuration } from '../figures.view.js';
import { followJob } from '../job-follower.js';
import { renderEnd } from '../job.view.js';
import { openTerminal } from '../terminal.js';
import { withLocation } from './location.options.js';

interface SubmitFlags extends LocationOptions {
  readonly input: string;
  readonly jobKey?: string;
  readonly idempotencyKey?: string;
  readonly onDuplicate?: 'restart';
  readonly delayUntil?: string;
  readonly callback?: string;
  readonly wait?: true;
  readonly json?: true;
}

export function register(program: Command): void {
  withLocation(program.command('submit'))
    .description('submit a job')
    .argument('<kind>', 'e.g. report.export; `longhaul kinds` lists them')
    .requiredOption('--input <json>', 'the input: JSON, @FILE, or - for standard input')
    .option('--job-key <key>', 'the natural key, for kinds that declare none of their own')
    .option('--idempotency-key <key>', 'the same key and input make one job; default: a random one')
    .option(
      '--on-duplicate <what>',
      'restart: start anew what failed, was cancelled or has expired',
      parseOnDuplicate,
    )
    .option('--delay-until <time>', 'start it then (RFC 3339), at most 90 days ahead')
    .option('--callback <url>', 'where to tell of its end, signed')
    .option('--wait', 'follow the job to its end; exit 1 unless it succeeds')
    .option('--json', 'print the job as JSON')
    .action(action(submit));
}

function parseOnDuplicate(value: string): 'restart' {
  if (value !== 'restart') throw new InvalidArgumentError('The only choice is restart.');
  return value;
}

async function submit(kind: string, flags: SubmitFlags): Promise<void> {
  const input = parseInput(await readInput(flags.input));
  const client = await connect(flags);
  // With --json nothing but the job goes to standard output.
  const terminal = openTerminal(flags.json ? process.stderr : process.stdout);
  const startedAt = performance.now();
  const { job, outcome } = await client.submit(kind, input, {
    key: flags.jobKey,
    idempotencyKey: flags.idempotencyKey,
    onDuplicate: flags.onDuplicate,
    delayUntil: flags.delayUntil,
    callback: flags.callback === undefined ? undefined : { url: flags.callback },
  });
  const took = formatDuration(performance.now() - startedAt);
  const paint = terminal.paint;
  terminal.print(
    `${outcome === 'accepted' ? 'Accepted' : `Already there (${outcome})`} in ${took}: ${paint('bold', job.id)}`,
  );
  if (!flags.wait) {
    if (flags.json) process.stdout.write(`${JSON.stringify(job)}\n`);
    else terminal.print(paint('dim', `Follow it: ./longhaul watch ${job.id}`));
    return;
  }
  const end = (await followJob(client, job.id, terminal)).job;
  renderEnd(end, paint).forEach((line) => terminal.print(line));
  if (flags.json) process.stdout.write(`${JSON.stringify(end)}\n`);
  if (end.status !== 'SUCCEEDED') process.exitCode = 1;
}

/** `-`, `@FILE` or the JSON itself. */
export async function readInput(argument: string, option = '--input'): Promise<string> {
  if (argument === '-') return readText(process.stdin);
  if (!argument.startsWith('@')) return argument;
  try {
    return await readFile(argument.slice(1), 'utf8');
  } catch (error) {
    throw new CommandError(
      `${option} ${argument}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

export function parseInput(text: string, option = '--input', example = '{"dataset":"flights"}'): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError(`${option} is not JSON: ${reason}\nIn a shell, quote it: ${option} '${example}'`);
  }
}
