/** A run as lines of text. Pure. */
import { formatDuration } from '../../apps/cli/figures.view.js';
import { renderBar } from '../../apps/cli/job.view.js';
import type { Counts } from './evidence.store.js';
import type { Hit } from './faults.js';
import type { Fault, Plan } from './plan.js';

const SECONDS_WIDTH = 7;

const SAID: Readonly<Record<Fault['act'], (fault: Fault) => string>> = {
  kill: ({ target }) => `kill ${target}`,
  freeze: ({ target, forMs }) => `freeze ${target} for ${formatDuration(forMs)}`,
  down: ({ target, forMs }) => `stop ${target} for ${formatDuration(forMs)}`,
  crash: ({ target, forMs }) => `kill ${target} again and again for ${formatDuration(forMs)}`,
};

/** `  12.3 s  kill worker reports-io`. */
export function renderFault(fault: Fault): string {
  return `${(fault.atMs / 1000).toFixed(1).padStart(SECONDS_WIDTH)} s  ${SAID[fault.act](fault)}`;
}

/** The plan: its sums, and each fault. */
export function renderPlan({ seed, jobs, faults }: Plan): string[] {
  const kinds = [...Map.groupBy(jobs, ({ kind }) => kind)].map(([kind, own]) => `${own.length} ${kind}`);
  const cancels = jobs.filter(({ cancelAfterMs }) => cancelAfterMs !== undefined).length;
  const again = jobs.filter((job) => job.again !== undefined).length;
  const lastMs = Math.max(0, ...jobs.map(({ atMs }) => atMs), ...faults.map(({ atMs }) => atMs));
  return [
    `The plan of seed ${seed}: ${jobs.length} jobs (${kinds.join(', ')}), ${cancels} to be cancelled, ${again} asked for twice; ${faults.length} faults; ${formatDuration(lastMs)}`,
    ...faults.map(renderFault),
  ];
}

/** `  42.0 s  killed relay`, as it happens. */
export function renderHit({ fault, signals }: Hit, afterMs: number): string {
  const at = `${(afterMs / 1000).toFixed(1).padStart(SECONDS_WIDTH)} s`;
  return `${at}  done: ${SAID[fault.act](fault)}${signals === 0 ? ' (it was not there)' : signals > 1 ? ` (${signals} times)` : ''}`;
}

/** One line of how far it is. */
export function renderCounts(
  counts: Counts | undefined,
  { planned, asked, hits, blind }: { planned: number; asked: number; hits: number; blind: boolean },
): { percent: number; text: string } {
  const { ended = 0, unsent = 0, byStatus = {}, parked = 0 } = counts ?? {};
  const statuses = Object.entries(byStatus)
    .sort(([one], [other]) => one.localeCompare(other))
    .map(([status, count]) => `${count} ${status}`);
  const parts = [
    `${asked}/${planned} asked`,
    `${ended} ended`,
    ...(statuses.length > 0 ? [`(${statuses.join(', ')})`] : []),
    ...(parked > 0 ? [`${parked} parked`] : []),
    `outbox ${unsent}`,
    `${hits} faults`,
    ...(blind ? ['database away'] : []),
  ];
  return {
    percent: planned === 0 ? 100 : (100 * ended) / planned,
    text: parts.join(' · ').replace(' · (', ' ('),
  };
}

/** The same with a bar, for a line that is drawn over. */
export function renderProgress(percent: number, text: string): string {
  return `${renderBar(percent)} ${text}`;
}
