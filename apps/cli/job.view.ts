/** A job as lines of text: the bar with its figures, the steps, what went wrong. Pure. */
import type { Children, Job, Progress, StepStatus, StepView } from '../../libs/client/job.types.js';
import { formatBytes, formatCount, formatDuration } from './figures.view.js';
import { toPlain, type Style } from './terminal.js';

export type Paint = (style: Style, text: string) => string;

const BAR_WIDTH = 28;
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const;
const TROUBLE_LINES_MAX = 3;

/** `████████▌░░░`, always `width` characters. */
export function renderBar(percent: number, width = BAR_WIDTH): string {
  const eighths = Math.floor((Math.min(100, Math.max(0, percent)) / 100) * width * 8);
  const filled = '█'.repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8];
  return filled.padEnd(width, '░');
}

/** `57%  1,710,000 of 3,000,000 rows · 182.4 MB · 812,000 rows/s · 2 s left`, as far as it is known. */
export function renderFigures(progress: Progress): string {
  const { done, total, bytes, ratePerSecond, etaSeconds } = progress;
  const unit = toPlain(progress.unit ?? '');
  const of = known(total) ? ` of ${formatCount(total)}` : '';
  const figures = [
    known(done) ? `${formatCount(done)}${of} ${unit}`.trimEnd() : '',
    known(bytes) && bytes > 0 ? formatBytes(bytes) : '',
    known(ratePerSecond) && ratePerSecond > 0
      ? `${formatCount(ratePerSecond)} ${unit}/s`.replace(' /', '/')
      : '',
    known(etaSeconds) && etaSeconds > 0 ? `${formatDuration(etaSeconds * 1000)} left` : '',
  ].filter((figure) => figure !== '');
  return (
    `${Math.floor(progress.percent)}%`.padStart(4) + (figures.length > 0 ? `  ${figures.join(' · ')}` : '')
  );
}

const known = (value: number | null | undefined): value is number => value !== null && value !== undefined;

const MARKS: Readonly<Record<StepStatus, { mark: string; style: Style }>> = {
  waiting: { mark: '·', style: 'dim' },
  running: { mark: '▸', style: 'cyan' },
  retrying: { mark: '↻', style: 'yellow' },
  parked: { mark: '‖', style: 'yellow' },
  done: { mark: '✓', style: 'green' },
  failed: { mark: '✗', style: 'red' },
  skipped: { mark: '⤼', style: 'dim' },
  undoing: { mark: '↺', style: 'yellow' },
  undone: { mark: '↺', style: 'dim' },
  leftover: { mark: '!', style: 'red' },
};

/** What a group of items is, when they differ: the status that matters most comes first. */
const BY_WEIGHT: readonly StepStatus[] = [
  'parked',
  'leftover',
  'failed',
  'retrying',
  'undoing',
  'running',
  'waiting',
  'undone',
  'skipped',
  'done',
];

/** `✓ keep  ✓ plan  ▸ render 5/12  · publish`: one entry a step, its items counted. */
export function renderSteps(steps: readonly StepView[], paint: Paint): string {
  return [...Map.groupBy(steps, (step) => step.name)]
    .map(([name, items]) => {
      const status = BY_WEIGHT.find((weighty) => items.some((step) => step.status === weighty)) ?? 'waiting';
      const settled = items.filter((step) => step.status === 'done').length;
      const count = items.some((step) => known(step.item)) ? ` ${settled}/${items.length}` : '';
      const { mark, style } = MARKS[status];
      return paint(style, `${mark} ${toPlain(name)}${count}`);
    })
    .join('  ');
}

/** One line for each step in trouble, at most three: `render[3] retrying, attempt 2: source_unavailable`. */
export function renderTrouble(steps: readonly StepView[]): string[] {
  const troubled = steps.filter((step) =>
    ['retrying', 'parked', 'failed', 'leftover', 'undoing'].includes(step.status),
  );
  const lines = troubled.slice(0, TROUBLE_LINES_MAX).map((step) => {
    const item = known(step.item) ? `[${step.item}]` : '';
    const { message, code } = step.lastError ?? {};
    const reason = message ?? code;
    return toPlain(
      `${step.name}${item} ${step.status}, attempt ${step.attempt}${reason ? `: ${reason}` : ''}`,
    );
  });
  const more = troubled.length - lines.length;
  return more > 0 ? [...lines, `and ${more} more`] : lines;
}

/** `5 jobs: 3 open (1 parked), 2 succeeded`. */
export function renderChildren({ total, open, parked, succeeded, failed, cancelled }: Children): string {
  const states = [
    open > 0 ? `${formatCount(open)} open${parked > 0 ? ` (${formatCount(parked)} parked)` : ''}` : '',
    succeeded > 0 ? `${formatCount(succeeded)} succeeded` : '',
    failed > 0 ? `${formatCount(failed)} failed` : '',
    cancelled > 0 ? `${formatCount(cancelled)} cancelled` : '',
  ].filter((state) => state !== '');
  return `${formatCount(total)} ${total === 1 ? 'job' : 'jobs'}: ${states.join(', ')}`;
}

/** One line for each parked child that is named. */
function renderParkedChildren({ parked, parkedJobs }: Children): string[] {
  const lines = parkedJobs.map(({ id, kind, step }) => toPlain(`${kind} ${id} is parked at ${step}`));
  const more = parked - lines.length;
  return more > 0 ? [...lines, `and ${formatCount(more)} more`] : lines;
}

/** The whole block that is drawn over while a job runs. */
export function renderLive(job: Job, paint: Paint): string[] {
  const bar = paint(job.phase === 'compensating' ? 'yellow' : 'green', renderBar(job.progress.percent));
  const note = [renderState(job), toPlain(job.progress.message ?? '')]
    .filter((part) => part !== '')
    .join(' · ');
  return [
    `  ${bar} ${renderFigures(job.progress)}`,
    `  ${renderSteps(job.steps, paint) || paint('dim', 'no step yet')}`,
    `  ${paint('dim', note)}`,
    ...(job.children ? [`  ${paint('dim', renderChildren(job.children))}`] : []),
    ...[...renderTrouble(job.steps), ...(job.children ? renderParkedChildren(job.children) : [])].map(
      (line) => `  ${paint('yellow', line)}`,
    ),
    ...(job.phase === 'parked' ? [`  ${howToDecide(job)}`] : []),
  ];
}

/** Of a parked job: the command that shows what can be decided. */
function howToDecide({ id }: Job): string {
  return `An operator decides: ./longhaul parked ${id}`;
}

/** `STARTED, forward`, and what is special about it. */
export function renderState(job: Job): string {
  const state = job.phase === 'done' ? job.status : `${job.status}, ${job.phase}`;
  return job.stale ? `${state} (as of ${job.asOf})` : state;
}

/** The same as one line of a log; two states with an equal line are one to a reader of logs. */
export function renderPlain(job: Job): string {
  const figures = renderFigures(job.progress).trim();
  const message = job.progress.message ? ` (${toPlain(job.progress.message)})` : '';
  const parked = job.children?.parked ?? 0;
  const ofChildren = parked > 0 ? `, ${formatCount(parked)} of its jobs parked` : '';
  const line = `${renderState(job)}: ${figures}${message}${ofChildren}`;
  if (job.phase !== 'parked') return line;
  return [
    line,
    ...renderTrouble(job.steps.filter(({ status, lastError }) => status === 'parked' && lastError)),
    howToDecide(job),
  ].join('; ');
}

/** How it ended, for people. */
export function renderEnd(job: Job, paint: Paint): string[] {
  const took = Date.parse(job.finishedAt ?? '') - Date.parse(job.createdAt);
  const after = Number.isNaN(took) ? '' : ` after ${formatDuration(took)}`;
  const children = job.children ? [`  ${renderChildren(job.children)}`] : [];
  if (job.status === 'SUCCEEDED') return [`${paint('green', '✓')} SUCCEEDED${after}`, ...children];
  const error = job.error;
  return [
    `${paint('red', '✗')} ${job.status}${after}${error ? `: ${toPlain(`${error.code}: ${error.detail ?? error.title ?? 'no detail given'}`)}` : ''}`,
    `  compensated: ${job.compensated ?? 'unknown'}${job.leftovers.length > 0 ? `, leftovers: ${job.leftovers.length}` : ''}`,
    ...job.leftovers.flatMap(({ step, kept }) =>
      kept === undefined ? [] : [`    ${toPlain(`${step}: ${kept}`)}`],
    ),
    ...children,
  ];
}
