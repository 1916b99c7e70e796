/** A scenario: a kind, an input, and what goes wrong; run on both runtimes, which must then tell the same story. */
import type { AttemptEvent } from '../../libs/saga/attempt/world.js';
import type { ChildFate, MemoryLedger } from '../../libs/saga/memory.js';
import type { Decision, SagaEnd } from '../../libs/saga/protocol.js';
import type { SagaState } from '../../libs/saga/state.js';
import type { Scripts, World } from './fakes.js';
import type { KindName } from './suite.js';

/** The world of a scenario can also wish for its job's cancellation. */
export interface ScenarioWorld extends World {
  cancel(): Promise<void>;
  /** As a person does in the Temporal Web UI; in memory there is only one way. */
  cancelNatively(): Promise<void>;
  /** Resolves when this many parks are on record. */
  parked(times: number): Promise<void>;
}

/** What an operator decides of a park; `value`: corrected args, or an output. */
export interface OperatorDecision {
  readonly decision: Decision;
  readonly value?: unknown;
  /** Once what was held around the step is lost. */
  readonly onceHeldLost?: true;
  /** It is refused, for a reason that says this; the next decision is of the same park. */
  readonly refused?: string;
}

export interface Scenario {
  /** States the outcome. */
  readonly name: string;
  readonly kind: KindName;
  readonly count?: number;
  /** `skipping` where the saga waits for long; `dev`, a real server, by default. */
  readonly server?: 'dev' | 'skipping';
  /** On Temporal; the kind's own where it is left out. */
  readonly deadlineMs?: number;
  readonly scripts?: (world: ScenarioWorld) => Scripts;
  readonly childFate?: (input: unknown, index: number) => ChildFate;
  /** Cancelled while this attempt waits, for a worker or for its time; in memory for half a minute. */
  readonly cancelsWaiting?: { readonly step: string; readonly attempt: number };
  /** Of the parks in their order; the first without one is left parked. */
  readonly decisions?: readonly OperatorDecision[];
}

/** What a run tells, apart from when. */
export interface Story {
  readonly end: SagaEnd | undefined;
  readonly phase: SagaState['phase'];
  readonly flags: string;
  /** What really took effect: per step in order; of groups the members' order is nobody's promise. */
  readonly effects: readonly string[];
  /** Undos are one at a time, in an order that is promised. */
  readonly undos: readonly string[];
  readonly attempts: Readonly<Record<string, readonly string[]>>;
  readonly ledger: readonly string[];
  readonly steps: readonly string[];
  readonly parks: readonly string[];
  readonly locks: readonly string[];
}

/** Throws where a decision was refused that should not have been, or the other way round. */
export function checkRefusal({ decision, refused }: OperatorDecision, refusal: string | undefined): void {
  if (refused === undefined ? refusal === undefined : refusal?.includes(refused)) return;
  throw new Error(`${decision} should be refused for "${refused}", and is for "${refusal}"`);
}

/** Tells the story of a run, whichever runtime it was on. */
export function tell(run: {
  readonly end: SagaEnd | undefined;
  readonly state: SagaState;
  readonly trace: readonly AttemptEvent[];
  readonly ledger: MemoryLedger;
  readonly world: World;
}): Story {
  const { state, trace, ledger, world } = run;
  const labelOf = ({ step, item, generation }: Pick<AttemptEvent, 'step' | 'item' | 'generation'>) =>
    `${step}${item === undefined ? '' : ` ${item}`} g${generation}`;
  const attempts: Record<string, string[]> = {};
  for (const event of trace) {
    if (event.role === 'undo') continue;
    const line = `${event.role} #${event.attempt} ${event.what}${event.code === undefined ? '' : ` ${event.code}`}`;
    (attempts[labelOf(event)] ??= []).push(line);
  }
  return {
    end: withoutJobIds(run.end),
    phase: state.phase,
    flags: `committed ${state.committed}, overdue ${state.overdue}, cancelRequested ${state.cancelRequested}`,
    effects: world.log.filter((line) => !line.startsWith('un')).sort(),
    undos: trace
      .filter(({ role }) => role === 'undo')
      .map((event) => `${labelOf(event)} #${event.attempt} ${event.what}`),
    attempts,
    ledger: [...ledger.rows.values()]
      .map((row) => `${labelOf(row)} ${row.state}${row.doubt ? ' doubt' : ''}`)
      .sort(),
    parks: ledger.letters.map(
      ({ number, step, undo, doubt, possible, correctable }) =>
        `${number} ${undo ? 'undo of ' : ''}${step}${doubt ? ' in doubt' : ''}: ${possible.join(' ')}` +
        `${correctable ? ' (corrected)' : ''}${ledger.unparked.has(number) ? ', over' : ''}`,
    ),
    locks: [...ledger.locks],
    steps: state.steps.map(({ name, item, status }) => `${name} ${item ?? ''} ${status}`),
  };
}

/** Effect keys begin with the job's id, which differs from run to run. */
function withoutJobIds(end: SagaEnd | undefined): SagaEnd | undefined {
  if (!end) return undefined;
  return JSON.parse(JSON.stringify(end).replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'JOB')) as SagaEnd;
}
