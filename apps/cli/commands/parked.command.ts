/** `longhaul parked`: jobs that wait for a person, and the decisions on them. */
import { Argument, type Command } from 'commander';
import { validate as isUuid } from 'uuid';
import type { Client } from '../../../libs/client/client.js';
import type { DeadLetter, DecisionName } from '../../../libs/client/dead-letter.types.js';
import { ProblemError } from '../../../libs/client/problem.error.js';
import { connect, type LocationOptions } from '../api-location.js';
import { decideMany } from '../bulk-decision.js';
import { action, CommandError } from '../command.error.js';
import { followDecision, latestParkOf, OUTCOME_EXIT } from '../decision.follower.js';
import { readValues } from '../decision.values.js';
import {
  decisionLines,
  outcomeText,
  renderEarlier,
  renderParked,
  renderParkedTable,
} from '../parked.view.js';
import { openTerminal } from '../terminal.js';
import { parseLimit } from './jobs.command.js';
import { withLocation } from './location.options.js';

interface ParkedFlags extends LocationOptions {
  readonly reason?: string;
  readonly input?: string;
  readonly output?: string;
  readonly wait?: true;
  readonly job?: string;
  readonly kind?: string;
  readonly step?: string;
  readonly code?: string;
  readonly all?: true;
  readonly limit: number;
  readonly json?: true;
}

const DECISIONS = ['retry', 'skip', 'compensate', 'resolve'] as const satisfies readonly DecisionName[];
const LIMIT_DEFAULT = 50;
const PAGE_SIZE_MAX = 200;
const BULK_MAX = 1_000;
/** Of a job's earlier parks, whose decisions are shown with the present one. */
const EARLIER_MAX = 20;
const EXIT_CODES = '0 it went on or ended, 1 it was refused, 2 not known yet, 3 it parked again';

export function register(program: Command): void {
  // At both levels, so that behind `decide` options are that command's.
  const parkedCommand = withLocation(program.enablePositionalOptions().command('parked'));
  parkedCommand.enablePositionalOptions();
  parkedCommand
    .description('list jobs that wait for a person; show one; decide how it goes on')
    .argument('[id]', 'of the park, or of its job')
    .addArgument(new Argument('[decision]', 'what to do').choices(DECISIONS))
    .option('--reason <text>', 'why, for the audit log; every decision needs one')
    .option('--input <json>', 'with retry: corrected arguments of the step (JSON, @FILE, or -)')
    .option('--output <json>', 'with resolve: what the step answered (JSON, @FILE, or -)')
    .option('--wait', `wait for what becomes of it; exit ${EXIT_CODES}`)
    .option('--job <id>', 'list only parks of this job')
    .option('--kind <kind>', 'list only jobs of this kind')
    .option('--step <step>', 'list only parks of this step')
    .option('--code <code>', 'list only parks whose last error has this code')
    .option('--all', 'list closed parks too')
    .option('--limit <count>', 'how many at most', parseLimit, LIMIT_DEFAULT)
    .option('--json', 'print JSON')
    .action(action(parked));
  withLocation(parkedCommand.command('decide'))
    .description('decide the same about many: lists them, asks, and says what came of each')
    .addArgument(new Argument('<decision>', 'what to do').choices(DECISIONS))
    .option('--reason <text>', 'why, for the audit log')
    .option('--input <json>', 'with retry: the same corrected arguments for all (JSON, @FILE, or -)')
    .option('--output <json>', 'with resolve: what the step answered, the same for all (JSON, @FILE, or -)')
    .option('--kind <kind>', 'only jobs of this kind')
    .option('--step <step>', 'only parks of this step')
    .option('--code <code>', 'only parks whose last error has this code')
    .option('--all', 'without a filter: every park')
    .option('--limit <count>', 'how many at most, the latest first', parseLimit, BULK_MAX)
    .option('--dry-run', 'only list them')
    .option('--yes', 'do not ask')
    .option(
      '--wait',
      `wait for what becomes of each; exit ${EXIT_CODES}, the first of 1, 2, 3 that is true of any`,
    )
    .option('--json', 'print a line of JSON for each')
    .action(action(decideMany));
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
  const earlier = await earlierThan(client, letter);
  const lines = [...renderParked(letter, terminal.paint), ...renderEarlier(earlier, terminal.paint)];
  lines.forEach((line) => terminal.print(line));
  const [first] = letter.possible;
  if (first) terminal.print(`\nDecide: ./longhaul parked ${letter.id} ${first} --reason "…" --wait`);
}

async function list(client: Client, flags: ParkedFlags): Promise<void> {
  const { job, kind, step, code, limit, json } = flags;
  const status = flags.all ? undefined : 'open';
  const found: DeadLetter[] = [];
  const pageSize = Math.min(limit, PAGE_SIZE_MAX);
  for await (const letter of client.deadLetters.list({ job, kind, step, code, status, pageSize })) {
    found.push(letter);
    if (found.length >= limit) break;
  }
  if (json) return found.forEach((letter) => process.stdout.write(`${JSON.stringify(letter)}\n`));
  const terminal = openTerminal();
  if (found.length === 0) return terminal.print(nothingFound(flags));
  renderParkedTable(found, terminal.paint).forEach((line) => terminal.print(line));
}

function nothingFound({ job, kind, step, code, all }: ParkedFlags): string {
  if (all) return 'No park, open or closed, matches.';
  const isNarrowed = [job, kind, step, code].some((filter) => filter !== undefined);
  return isNarrowed ? 'No open park matches. --all lists closed ones too.' : 'No job waits for a person.';
}

/** By the id of the park, or of its job: the park it waits at, else the last one. */
async function find(client: Client, id: string): Promise<DeadLetter> {
  try {
    return await client.deadLetters.get(id);
  } catch (error) {
    if (!(error instanceof ProblemError && error.code === 'dead_letter_not_found')) throw error;
  }
  const found = isUuid(id) ? await latestParkOf(client, id) : undefined;
  if (found) return found;
  throw new CommandError(
    `Neither a park nor a job that was ever parked has the id ${id}. \`longhaul parked --all\` lists them.`,
  );
}

async function earlierThan(client: Client, { jobId, park }: DeadLetter): Promise<DeadLetter[]> {
  const earlier: DeadLetter[] = [];
  for await (const letter of client.deadLetters.list({ job: jobId, pageSize: EARLIER_MAX })) {
    if (letter.park < park) earlier.unshift(letter);
    if (earlier.length >= EARLIER_MAX) break;
  }
  return earlier;
}

async function decide(
  client: Client,
  letter: DeadLetter,
  decision: DecisionName,
  flags: ParkedFlags,
): Promise<void> {
  const values = await readValues(flags);
  const reason = flags.reason ?? '';
  const job = await client.deadLetters.decide(letter.id, {
    park: letter.park,
    decision,
    reason,
    ...values,
  });
  const terminal = openTerminal(flags.json ? process.stderr : process.stdout);
  terminal.print(`Stored: ${decision} for park ${letter.park} of job ${job.id}.`);
  if (!flags.wait) {
    if (flags.json) process.stdout.write(`${JSON.stringify(job)}\n`);
    else terminal.print(terminal.paint('dim', `What became of it: ./longhaul parked ${letter.id}`));
    return;
  }
  const outcome = await followDecision(client, letter.id);
  if (flags.json) {
    const { letter: after, is } = outcome;
    const again = outcome.is === 'parked_again' ? { parkedAgain: outcome.again } : {};
    process.stdout.write(`${JSON.stringify({ ...after, outcome: is, ...again })}\n`);
  } else if (outcome.letter.decision)
    decisionLines(outcome.letter.decision).forEach((line) => terminal.print(line));
  terminal.print(outcomeText(outcome));
  process.exitCode = OUTCOME_EXIT[outcome.is];
}
