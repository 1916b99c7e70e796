/** `longhaul parked decide`: one decision on many parks. Each stays a decision of its own, with its own id and audit line. */
import { createInterface } from 'node:readline/promises';
import type { Client } from '../../libs/client/client.js';
import type { DeadLetter, DecisionName } from '../../libs/client/dead-letter.types.js';
import { ProblemError } from '../../libs/client/problem.error.js';
import { mapBounded } from '../../libs/outbox/bounded.js';
import { connect, type LocationOptions } from './api-location.js';
import { CommandError, describeFailure } from './command.error.js';
import {
  checkSameArgs,
  checkShared,
  readValues,
  type DecisionValues,
  type ValueFlags,
} from './decision.values.js';
import { followDecision, OUTCOME_EXIT, type DecisionOutcome } from './decision.follower.js';
import { formatCount } from './figures.view.js';
import { renderBar } from './job.view.js';
import { outcomeText, renderParkedTable, stepLabel } from './parked.view.js';
import { openStatusLine, openTerminal, toPlain, type Terminal } from './terminal.js';

export interface BulkFlags extends LocationOptions, ValueFlags {
  readonly reason?: string;
  readonly kind?: string;
  readonly step?: string;
  readonly code?: string;
  readonly all?: true;
  readonly limit: number;
  readonly dryRun?: true;
  readonly yes?: true;
  readonly wait?: true;
  readonly json?: true;
}

/** What became of one of them. */
interface Answer {
  readonly letter: DeadLetter;
  readonly outcome: 'stored' | 'failed' | DecisionOutcome['is'];
  /** Why, where it is not as it was wished. */
  readonly detail?: string;
}

const PAGE_SIZE = 200;
const LISTED_MAX = 20;
const SENT_AT_ONCE = 8;

/** Shows what it would decide about, asks, decides, and says what came of each. Throws CommandError where nothing was sent. */
export async function decideMany(decision: DecisionName, flags: BulkFlags): Promise<void> {
  const { reason = '', kind, step, code } = flags;
  if (!reason.trim()) throw new CommandError('Why? Give --reason "…": it is kept in the audit log.');
  if (flags.all === undefined && [kind, step, code].every((filter) => filter === undefined))
    throw new CommandError('Which? Narrow it with --kind, --step or --code, or say --all.');
  checkShared(decision, flags, flags);
  const values = await readValues(flags);
  const client = await connect(flags, 'operator');
  // With --json nothing but the answers goes to standard output.
  const output = flags.json ? process.stderr : process.stdout;
  const terminal = openTerminal(output);
  const { able, unable } = await select(client, decision, flags);
  listSelected(terminal, flags.input === undefined ? decision : `${decision} with --input`, able, unable);
  if (flags.input !== undefined) checkSameArgs(able);
  if (flags.dryRun || able.length === 0) return;
  if (!flags.yes && !(await isConfirmed(`${decision} ${count(able)}?`)))
    throw new CommandError('Nothing was sent.');

  const line = openStatusLine(terminal, output);
  let done = 0;
  const answers = await mapBounded(able, SENT_AT_ONCE, async (letter) => {
    const answer = await decideOne(client, letter, { decision, reason, values, waits: flags.wait === true });
    const share = `${formatCount(++done)} of ${count(able)}`;
    line.update(`${renderBar((100 * done) / able.length)} ${share}`, `deciding about ${count(able)} …`);
    return answer;
  });
  line.end();
  const all = [...answers.values()];
  if (flags.json) all.forEach((answer) => process.stdout.write(`${JSON.stringify(toJson(answer))}\n`));
  summarise(terminal, all);
  process.exitCode = exitCodeOf(all);
}

/** The open parks that match and await a decision: those it is possible for, and the others. */
async function select(
  client: Client,
  decision: DecisionName,
  { kind, step, code, limit, input }: BulkFlags,
): Promise<{ able: DeadLetter[]; unable: DeadLetter[] }> {
  const able: DeadLetter[] = [];
  const unable: DeadLetter[] = [];
  const pageSize = PAGE_SIZE;
  for await (const letter of client.deadLetters.list({ status: 'open', kind, step, code, pageSize })) {
    // One that is decided already has nothing left to decide: asked for again, this changes nothing.
    if (letter.possible.length === 0) continue;
    const isAble = letter.possible.includes(decision) && (input === undefined || letter.correctable);
    (isAble ? able : unable).push(letter);
    if (able.length >= limit) break;
  }
  return { able, unable };
}

function listSelected(
  terminal: Terminal,
  decision: string,
  able: readonly DeadLetter[],
  unable: readonly DeadLetter[],
): void {
  const show = (letters: readonly DeadLetter[]): void => {
    renderParkedTable(letters.slice(0, LISTED_MAX), terminal.paint).forEach((row) => terminal.print(row));
    if (letters.length > LISTED_MAX)
      terminal.print(terminal.paint('dim', `… and ${formatCount(letters.length - LISTED_MAX)} more`));
  };
  if (able.length === 0)
    terminal.print(`No park that matches awaits a decision for which ${decision} is possible.`);
  else {
    terminal.print(terminal.paint('bold', `${decision}: ${count(able)}`));
    show(able);
  }
  if (unable.length === 0) return;
  terminal.print(
    terminal.paint('yellow', `\nLeft alone, ${decision} is not possible there: ${count(unable)}`),
  );
  show(unable);
}

async function isConfirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new CommandError(
      'Nothing was sent: there is no terminal to ask on. Look with --dry-run, then repeat it with --yes.',
    );
  }
  const asker = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await asker.question(`\n${question} [y/N] `)).trim());
  } finally {
    asker.close();
  }
}

interface Sent {
  readonly decision: DecisionName;
  readonly reason: string;
  readonly values: DecisionValues;
  readonly waits: boolean;
}

async function decideOne(
  client: Client,
  letter: DeadLetter,
  { decision, reason, values, waits }: Sent,
): Promise<Answer> {
  try {
    await client.deadLetters.decide(letter.id, { park: letter.park, decision, reason, ...values });
    if (!waits) return { letter, outcome: 'stored' };
    const outcome = await followDecision(client, letter.id);
    return { letter, outcome: outcome.is, detail: outcomeText(outcome) };
  } catch (error) {
    if (!(error instanceof ProblemError))
      return { letter, outcome: 'failed', detail: describeFailure(error) };
    const fields = error.errors.map(({ pointer, detail }) => `${pointer}: ${detail}`);
    return { letter, outcome: 'refused', detail: [error.detail ?? error.title, ...fields].join(' ') };
  }
}

const AS_WISHED: ReadonlySet<Answer['outcome']> = new Set(['stored', 'went_on', 'ended']);
const LABELS: Readonly<Record<Answer['outcome'], string>> = {
  stored: 'stored, and on their way to their sagas',
  went_on: 'taken, and their jobs go on',
  ended: 'taken, and their jobs have ended',
  tried: 'taken, and the step is still tried',
  undelivered: 'stored, and not at their sagas yet',
  parked_again: 'taken, and parked again',
  refused: 'refused',
  failed: 'not known to have arrived',
};

function summarise(terminal: Terminal, answers: readonly Answer[]): void {
  for (const [outcome, of] of Map.groupBy(answers, (answer) => answer.outcome)) {
    const isWished = AS_WISHED.has(outcome);
    terminal.print(
      `${terminal.paint(isWished ? 'green' : 'yellow', formatCount(of.length))} ${LABELS[outcome]}`,
    );
    if (isWished) continue;
    for (const { letter, detail = '' } of of)
      terminal.print(`  ${letter.id} ${stepLabel(letter)} of job ${letter.jobId}: ${toPlain(detail)}`);
  }
}

/** The most urgent of what came of them, as for a single one. */
function exitCodeOf(answers: readonly Answer[]): number {
  const codes = answers.map(({ outcome }) =>
    outcome === 'stored' ? 0 : outcome === 'failed' ? 1 : OUTCOME_EXIT[outcome],
  );
  return [1, 2, 3].find((code) => codes.includes(code)) ?? 0;
}

function toJson({ letter: { id, jobId, park }, outcome, detail }: Answer): object {
  return { id, jobId, park, outcome, ...(detail === undefined ? {} : { detail }) };
}

function count(letters: readonly DeadLetter[]): string {
  return `${formatCount(letters.length)} ${letters.length === 1 ? 'park' : 'parks'}`;
}
