/** Parked jobs as text: a table of them, and one with its context. Pure. */
import type { DeadLetter, DecisionName, DecisionView } from '../../libs/client/dead-letter.types.js';
import { formatAge } from './figures.view.js';
import type { Paint } from './job.view.js';
import { renderTable } from './jobs-table.view.js';
import { toPlain } from './terminal.js';

const HEADINGS = ['ID', 'JOB', 'KIND', 'STEP', 'PARK', 'DOUBT', 'SINCE', 'POSSIBLE'] as const;

export function renderParkedTable(letters: readonly DeadLetter[], paint: Paint, now = Date.now()): string[] {
  const rows = letters.map((letter) => [
    letter.id,
    letter.jobId,
    toPlain(letter.kind),
    stepLabel(letter),
    String(letter.park),
    letter.doubt ? paint('yellow', 'yes') : 'no',
    formatAge(now - Date.parse(letter.waitingSince)),
    letter.decision && letter.decision.outcome !== 'refused'
      ? paint('dim', `decided: ${letter.decision.decision} (${letter.decision.outcome})`)
      : letter.possible.join(', '),
  ]);
  return renderTable([HEADINGS.map((heading) => paint('bold', heading)), ...rows]);
}

/** What each decision does here, in a line. */
function explain(decision: DecisionName, letter: DeadLetter): string {
  const { undo, doubt, stepKind } = letter;
  const isUnknowable = doubt && letter.effect === 'blind';
  const isLookedFor = doubt && stepKind === 'pivot' && !isUnknowable;
  switch (decision) {
    case 'retry':
      if (undo && isUnknowable) return 'you say that there IS something to undo: run the undo';
      if (undo) return 'try the undo again';
      if (isUnknowable) return 'you say that it has NOT happened: try it again';
      if (stepKind === 'pivot' && doubt)
        return 'look again whether it happened; if it did not, the job is undone';
      return `try the step again${letter.correctable ? '; with --input, under corrected arguments' : ''}`;
    case 'skip':
      if (undo) return 'give the undo up: the job lists the effect in its leftovers';
      return stepKind === 'compensable'
        ? 'undo the step now, and go on without it'
        : 'go on without the step';
    case 'compensate':
      return stepKind === 'pivot' && doubt
        ? `you say that it has NOT happened: undo the job${isLookedFor ? ', unless it proves to have' : ''}`
        : 'undo the job; it ends FAILED';
    case 'resolve':
      return stepKind === 'decision'
        ? 'give the answer the saga waits for (--output)'
        : `you say that it HAS been done outside: go on with --output as its answer${isLookedFor ? ', unless it is found, or proves not done' : ''}`;
  }
}

export function renderParked(letter: DeadLetter, paint: Paint, now = Date.now()): string[] {
  const { decision } = letter;
  return [
    `${paint('bold', stepLabel(letter))} of ${toPlain(letter.kind)}, park ${letter.park}, ${letter.status}`,
    ...(letter.summary === null ? [] : [`  ${toPlain(letter.summary)}`]),
    '',
    `  job      ${letter.jobId} (${letter.jobStatus}) of tenant ${toPlain(letter.tenant.name)}`,
    ...(letter.key === null ? [] : [`  key      ${toPlain(letter.key)}`]),
    `  since    ${letter.waitingSince}, ${formatAge(now - Date.parse(letter.waitingSince))} ago`,
    ...(letter.until === undefined ? [] : [`  until    ${letter.until}, when the declared default counts`]),
    ...(letter.args === undefined ? [] : [`  about    ${toPlain(JSON.stringify(letter.args))}`]),
    ...(letter.effectKey === undefined
      ? []
      : [`  effect   ${toPlain(letter.effectKey)} (its key at the provider)`]),
    `  attempts ${letter.attempts}`,
    ...errorLines(letter),
    ...(letter.doubt ? [paint('yellow', '  doubt    nobody can tell whether the effect happened')] : []),
    ...(letter.actingUntil === undefined
      ? []
      : [
          paint(
            'yellow',
            `  acting   an attempt that has not reported may still act until ${letter.actingUntil}`,
          ),
        ]),
    ...(letter.traceId === null ? [] : [`  trace    ${letter.traceId}`]),
    ...(letter.links.temporal === undefined ? [] : [`  temporal ${toPlain(letter.links.temporal)}`]),
    ...(decision ? ['', ...decisionLines(decision)] : []),
    ...(letter.possible.length === 0
      ? []
      : ['', 'Possible:', ...letter.possible.map((one) => `  ${one.padEnd(10)} ${explain(one, letter)}`)]),
    ...(letter.answer === undefined
      ? []
      : ['', `--output must fit: ${toPlain(JSON.stringify(letter.answer))}`]),
  ];
}

function errorLines({ firstError, lastError }: DeadLetter): string[] {
  const tell = (error: NonNullable<DeadLetter['lastError']>): string =>
    toPlain([error.code, error.message].filter((part) => part !== undefined && part !== '').join(': '));
  const first = firstError && tell(firstError);
  const last = lastError && tell(lastError);
  return [
    ...(first !== null && first !== last ? [`  first    ${first}`] : []),
    ...(last === null ? [] : [`  error    ${last}`]),
  ];
}

/** What became of a decision, in a line or two. */
export function decisionLines({
  decision,
  decidedBy,
  decidedAt,
  reason,
  outcome,
  refusal,
}: DecisionView): string[] {
  const became = { pending: 'on its way to the saga', taken: 'taken', refused: `refused: ${refusal ?? ''}` };
  return [
    `Decided: ${decision} by ${toPlain(decidedBy)} at ${decidedAt}, ${toPlain(became[outcome])}`,
    `  because ${toPlain(reason)}`,
  ];
}

function stepLabel({ step, item, undo }: DeadLetter): string {
  return toPlain(`${undo ? 'undo of ' : ''}${step}${item === undefined ? '' : ` ${item}`}`);
}
