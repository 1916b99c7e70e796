/** A kind as text: its steps, what happens when they fail, what it takes, its diagram. Pure. */
import type { KindDescription, KindStep } from '../../libs/client/job.types.js';
import { formatDuration } from './figures.view.js';
import type { Paint } from './job.view.js';
import { renderTable } from './jobs-table.view.js';
import { toPlain } from './terminal.js';

const HEADINGS = ['STEP', 'KIND', 'EFFECT', 'QUEUE', 'TIME BOX', 'UNDO', 'PROBE', 'WHAT IT DOES'] as const;
const MS_PER_SECOND = 1_000;

export function renderKind(kind: KindDescription, paint: Paint): string[] {
  const { steps, deadline, input, example, diagram } = kind;
  const title = (text: string): string[] => ['', paint('bold', text)];
  return [
    `${paint('bold', toPlain(kind.kind))}  ${toPlain(kind.summary)}; within ${toPlain(deadline)}`,
    '',
    ...renderTable([HEADINGS.map((heading) => paint('bold', heading)), ...steps.map(rowOf)]),
    ...title('When a step fails'),
    ...steps.flatMap((step) => failureLines(step, paint)),
    ...title('Input'),
    ...JSON.stringify(input, null, 2).split('\n').map(toPlain),
    ...title('For example'),
    toPlain(`./longhaul submit ${kind.kind} --input '${JSON.stringify(example)}' --wait`),
    ...title('Diagram (Mermaid)'),
    ...diagram.split('\n').map(toPlain),
  ];
}

function rowOf({ name, kind, effect, taskQueue, timeoutSeconds, undo, probe, summary }: KindStep): string[] {
  const isPersons = kind === 'decision';
  const queue = isPersons ? '-' : taskQueue;
  const timeBox = isPersons ? '-' : formatDuration(timeoutSeconds * MS_PER_SECOND);
  return [name, kind, effect, queue, timeBox, undo ?? '-', probe ?? '-', summary ?? ''].map(toPlain);
}

function failureLines({ name, onFailure }: KindStep, paint: Paint): string[] {
  const rows = onFailure.map(({ when, then }) => [`  ${toPlain(when)}`, toPlain(then)]);
  return [paint('cyan', toPlain(name)), ...renderTable(rows)];
}
