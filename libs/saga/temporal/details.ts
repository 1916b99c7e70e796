/** What the Temporal Web UI shows of a running saga, in Markdown. */
import type { SagaState, StepState } from '../state.js';

const SHOWN_ITEMS_MAX = 8;

/** Phase, park and the present steps; groups as counts, so that hundreds of members stay one line. */
export function detailsOf(state: SagaState): string {
  const flags = [
    state.committed ? 'past the commit point' : undefined,
    state.cancelRequested ? 'cancel requested' : undefined,
    state.overdue ? '**overdue**' : undefined,
  ].filter((flag) => flag !== undefined);
  return [
    `**${state.phase}**${flags.length > 0 ? ` (${flags.join(', ')})` : ''}`,
    ...(state.park ? [parkLine(state.park)] : []),
    ...(state.message ? [state.message] : []),
    '',
    ...[...byName(state.steps)].map(([name, steps]) => `- ${name}: ${groupLine(steps)}`),
  ].join('\n');
}

function parkLine(park: NonNullable<SagaState['park']>): string {
  const what = `${park.undo ? 'the undo of ' : ''}${park.step}${park.item === undefined ? '' : ` ${park.item + 1}`}`;
  const lost = park.heldLost ? '; what was held around it is lost: a retry starts over' : '';
  return `Parked (no. ${park.number}) at ${what}${park.doubt ? ', in doubt' : ''}: waits for a person${lost}`;
}

function byName(steps: readonly StepState[]): Map<string, StepState[]> {
  const groups = new Map<string, StepState[]>();
  for (const step of steps) {
    const group = groups.get(step.name);
    if (group) group.push(step);
    else groups.set(step.name, [step]);
  }
  return groups;
}

function groupLine(steps: readonly StepState[]): string {
  const [first] = steps;
  if (steps.length === 1 && first?.item === undefined) return first?.status ?? '';
  const counts = new Map<string, number>();
  for (const { status } of steps) counts.set(status, (counts.get(status) ?? 0) + 1);
  const present = steps.filter(({ status }) => status !== 'done' && status !== 'undone');
  const items = present.slice(0, SHOWN_ITEMS_MAX).map(({ item }) => (item ?? 0) + 1);
  const more = present.length > SHOWN_ITEMS_MAX ? ', …' : '';
  const summary = [...counts].map(([status, count]) => `${count} ${status}`).join(', ');
  return items.length > 0 ? `${summary} (now ${items.join(', ')}${more})` : summary;
}
