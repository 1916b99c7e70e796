/** `longhaul parked`: jobs that wait for a person, and the decisions on them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Argument, InvalidArgumentError, type Command } from 'commander';
import type { Client } from '../../../libs/client/client.js';
import type { DeadLetter, DecisionName } from '../../../libs/client/dead-letter.types.js';
import { ProblemError } from '../../../libs/client/problem.error.js';
import { connect, type LocationOptions } from '../api-location.js';
import { action, CommandError } from '../command.error.js';
import { decisionLines, renderParked, renderParkedTable } from '../parked.view.js';
import { openTerminal } from '../terminal.js';
import { withLocation } from './location.options.js';
import { parseInput, readInput } from './submit.command.js';

interface ParkedFlags extends LocationOptions {
  readonly reason?: string;
  readonly input?: string;
  readonly output?: string;
  readonly wait?: true;
  readonly kind?: string;
  readonly limit: number;
  readonly json?: true;
}

const DECISIONS = ['retry', 'skip', 'compensate', 'resolve'] as const satisfies readonly DecisionName[];
const LIMIT_DEFAULT = 50;
const PAGE_SIZE_MAX = 200;
/** How many open parks are gone through to find a job's. */
const SEARCHED_MAX = 2_000;
const LOOK_EVERY_MS = 500;
const WAIT_MAX_MS = 600_000;
/** The saga has the decision, and asks the ledger about it next: that it was refused there is known by then. */
const RULED_WITHIN_MS = 2_000;

export function register(program: Command): void {
  withLocation(program.command('parked'))
    .description('list jobs that wait for a person; show one; decide how it goes on')
    .argument('[id]', 'of the park, or of its job')
    .addArgument(new Argument('[decision]', 'what to do').choices(DECISIONS))
    .option('--reason <text>', 'why, for the audit log; every decision needs one')
    .option('--input <json>', 'with retry: corrected arguments of the step (JSON, @FILE, or -)')
    .option('--output <json>', 'with resolve: what the step answered (JSON, @FILE, or -)')
    .option('--wait', 'wait until the saga has the decision; exit 1 if it was refused')
    .option('--kind <kind>', 'list only jobs of this kind')
    .option('--limit <count>', 'how many at most', parseLimit, LIMIT_DEFAULT)
    .option('--json', 'print JSON')
    .action(action(parked));
}

function parseLimit(value: string): number {
  const limit = Number(value);
  if (Number.isInteger(limit) && limit > 0) return limit;
  throw new InvalidArgumentError('Expected a whole number from 1.');
}

async function parked(id: string | undefined, decision: DecisionName | undefined, flags: ParkedFlags) {
  if (decision !== undefined && !flags.reason?.trim())
    throw new CommandError('Why? Give --reason "…": it is kept in the audit log.');
  const client = await connect(flags, 'operator');
  if (id === undefined) return list(client, flags);
  const letter = await find(client, id);
  if (decision !== undefined) return decide(client, letter, decision, flags);
  if (flags.json) return void process.stdout.write(`${JSON.stringify(letter)}\n`);
  const terminal = openTerminal();
  renderParked(letter, terminal.paint).forEach((line) => terminal.print(line));
  const [first] = letter.possible;
  if (first) terminal.print(`\nDecide: ./longhaul parked ${letter.id} ${first} --reason "…" --wait`);
}

async function list(client: Client, { kind, limit, json }: ParkedFlags): Promise<void> {
  const found: DeadLetter[] = [];
  const pageSize = Math.min(limit, PAGE_SIZE_MAX);
  for await (const letter of client.deadLetters.list({ status: 'open', kind, pageSize })) {
    found.push(letter);
    if (found.length >= limit) break;
  }
  if (json) return found.forEach((letter) => process.stdout.write(`${JSON.stringify(letter)}\n`));
  const terminal = openTerminal();
  if (found.length === 0) return terminal.print('No job waits for a person.');
  renderParkedTable(found, terminal.paint).forEach((line) => terminal.print(line));
}

/** By the id of the park, or of the job that is parked. */
async function find(client: Client, id: string): Promise<DeadLetter> {
  try {
    return await client.deadLetters.get(id);
  } catch (error) {
    if (!(error instanceof ProblemError && error.code === 'dead_letter_not_found')) throw error;
  }
  let searched = 0;
  for await (const letter of client.deadLetters.list({ status: 'open', pageSize: PAGE_SIZE_MAX })) {
    if (letter.jobId === id) return letter;
    if (++searched >= SEARCHED_MAX) break;
  }
  throw new CommandError(`Neither a park nor a parked job has the id ${id}. \`longhaul parked\` lists them.`);
}

async function decide(
  client: Client,
  letter: DeadLetter,
  decision: DecisionName,
  flags: ParkedFlags,
): Promise<void> {
  const input = await readValue('--input', flags.input);
  const output = await readValue('--output', flags.output);
  const reason = flags.reason ?? '';
  const job = await client.deadLetters.decide(letter.id, {
    park: letter.park,
    decision,
    reason,
    input,
    output,
  });
  const terminal = openTerminal(flags.json ? process.stderr : process.stdout);
  terminal.print(`Stored: ${decision} for park ${letter.park} of job ${job.id}.`);
  if (!flags.wait) {
    if (flags.json) process.stdout.write(`${JSON.stringify(job)}\n`);
    else terminal.print(terminal.paint('dim', `What became of it: ./longhaul parked ${letter.id}`));
    return;
  }
  const after = await untilSettled(client, letter.id);
  if (flags.json) process.stdout.write(`${JSON.stringify(after)}\n`);
  else if (after.decision) decisionLines(after.decision).forEach((line) => terminal.print(line));
  if (after.decision?.outcome === 'pending') {
    throw new CommandError(
      'It has not reached the saga yet. Nothing is lost: it arrives when relay, engine and workflow worker are up.',
    );
  }
  if (after.decision?.outcome !== 'taken') process.exitCode = 1;
}

async function untilSettled(client: Client, id: string): Promise<DeadLetter> {
  const giveUpAt = Date.now() + WAIT_MAX_MS;
  let takenAt: number | undefined;
  for (;;) {
    const letter = await client.deadLetters.get(id);
    const outcome = letter.decision?.outcome;
    if (outcome === 'refused' || Date.now() > giveUpAt) return letter;
    if (outcome === 'taken') {
      takenAt ??= Date.now();
      if (letter.jobStatus !== 'STARTED' || Date.now() - takenAt >= RULED_WITHIN_MS) return letter;
    }
    await sleep(LOOK_EVERY_MS);
  }
}

async function readValue(option: '--input' | '--output', given: string | undefined): Promise<unknown> {
  if (given === undefined) return undefined;
  return parseInput(await readInput(given, option), option, '{"id":"…"}');
}
