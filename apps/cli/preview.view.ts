/** What a cancel would do, as text. Pure. */
import type { CancelPreview } from '../../libs/client/job.types.js';
import { toPlain } from './terminal.js';

const IMPOSSIBLE: Readonly<Record<string, string>> = {
  already_cancelled: 'The job is cancelled already.',
  job_finished: 'Not possible: the job has ended; there is nothing left to cancel.',
  too_late: 'Not possible: the job is past its commit point and only goes forward.',
};

export function renderPreview({ possible, reason, waitsFor, wouldUndo }: CancelPreview): string[] {
  if (!possible) return [IMPOSSIBLE[reason ?? ''] ?? `Not possible: ${toPlain(reason ?? 'no reason given')}`];
  return [
    ...(waitsFor ? waitingLines(waitsFor) : []),
    wouldUndo.length === 0 ? 'Possible; nothing is there to undo.' : 'Possible; would undo:',
    ...wouldUndo.map(
      ({ step, item, undo }) =>
        `  ${toPlain(step)}${item === undefined ? '' : ` ${item}`} by ${toPlain(undo)}`,
    ),
  ];
}

function waitingLines({ step, parked }: NonNullable<CancelPreview['waitsFor']>): string[] {
  const name = toPlain(step);
  return [
    parked
      ? `Nobody can tell whether ${name} has happened: a cancel would wait for an operator's decision.`
      : `${name} has begun: a cancel would wait until it is known whether it happened.`,
    'If it has, the job goes on, and the cancel is too late; if not:',
  ];
}
