/** What came out of a run, as lines of text. Pure. */
import { formatDuration } from '../../apps/cli/figures.view.js';
import type { ChaosResult } from './chaos.run.js';
import type { Violation } from './violation.js';

const VIOLATIONS_SHOWN_MAX = 40;
const NAME_WIDTH = 16;

type Told = Pick<
  ChaosResult,
  'counts' | 'hits' | 'asked' | 'decisions' | 'errors' | 'facts' | 'drained' | 'swept'
>;

/** The counts. */
export function renderSummary(result: Told, tookMs: number): string[] {
  const { counts, hits, asked, decisions, errors, facts, drained, swept } = result;
  const answers = asked.flatMap((one) => one.answers.map(({ outcome }) => outcome));
  const cancels = asked.flatMap(({ cancel }) => cancel ?? []);
  const acts = hits.map(({ fault }) => `${fault.act} ${fault.target.split(' ')[0]}`);
  const signals = hits.reduce((sum, hit) => sum + hit.signals, 0);
  const lines: readonly (readonly [string, string])[] = [
    ['jobs', `${counts?.jobs ?? 0}: ${listed(counts?.byStatus ?? {})}`],
    ['answers', `${answers.length}: ${listed(countEach(answers))}; cancels: ${listed(countEach(cancels))}`],
    ['errors', listed(errors)],
    ['decisions', listed(decisions)],
    ['faults', `${hits.length}, ${signals} signals: ${listed(countEach(acts))}`],
    ...Object.entries(facts),
    [
      'drained',
      `after ${formatDuration(drained.tookMs)}; store clean after ${formatDuration(swept.tookMs)}; ${formatDuration(tookMs)} in all`,
    ],
  ];
  return lines.map(([name, text]) => `${name.padEnd(NAME_WIDTH)}${text}`);
}

/** The last line. */
export function renderVerdict({
  plan,
  hits,
  violations,
}: Pick<ChaosResult, 'plan' | 'hits' | 'violations'>): string {
  const about = `chaos: seed ${plan.seed}, ${plan.jobs.length} jobs, ${hits.length} faults`;
  return violations.length === 0
    ? `${about}: nothing lost, nothing twice`
    : `${about}: ${violations.length} violations`;
}

/** The violations, grouped by rule, and how to look at them. */
export function renderViolations(violations: readonly Violation[], home: string, kept: boolean): string[] {
  const lines = [...Map.groupBy(violations, ({ rule }) => rule)].flatMap(([rule, own]) => [
    `✗ ${rule}: ${own.length}`,
    ...own
      .slice(0, VIOLATIONS_SHOWN_MAX)
      .map(({ jobId, detail }) => `    ${jobId === undefined ? '' : `${jobId}: `}${detail}`),
    ...(own.length > VIOLATIONS_SHOWN_MAX ? [`    and ${own.length - VIOLATIONS_SHOWN_MAX} more`] : []),
  ]);
  if (violations.length === 0) return [];
  const look = kept
    ? `To look: logs in ${home}/logs; LONGHAUL_HOME=${home} npm start, then ./longhaul watch JOB`
    : 'To look at the next such run: the same command with --keep, which keeps its home';
  return [...lines, look];
}

function countEach(values: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    [...Map.groupBy(values, (value) => value)].map(([value, own]) => [value, own.length]),
  );
}

function listed(counts: Readonly<Record<string, number>>): string {
  const sorted = Object.entries(counts).sort(([one], [other]) => one.localeCompare(other));
  return sorted.map(([name, count]) => `${count} ${name}`).join(', ') || 'none';
}
