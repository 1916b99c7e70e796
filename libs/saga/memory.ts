/**
 * Eager mode: a whole job in memory, on a virtual clock, in milliseconds. No I/O but the step functions given.
 * The same interpreter and the same attempts as on Temporal; the conformance suite holds the two to one trace.
 */
import type { z } from 'zod';
import { joinKind } from './attempt/attempt.js';
import type { AttemptEvent, World } from './attempt/world.js';
import type { AnyJobDefinition } from './define.js';
import type { Implementation } from './implement.js';
import { interpret, type Interpretation } from './interpreter/interpreter.js';
import type { Ledger } from './ledger.js';
import { travelled } from './attempt/context.js';
import { createMemoryChildren, type ChildFate, type MemoryChild } from './memory/children.js';
import { createVirtualClock, type VirtualClock } from './memory/clock.js';
import { createMemoryLedger, type MemoryLedger, type MemoryTransaction } from './memory/ledger.js';
import { seededRandom } from './memory/random.js';
import { createMemoryRuntime } from './memory/runtime.js';
import type { CancelWish, Decision, DecisionWish, Request, SagaEnd, SagaStart } from './protocol.js';
import type { SagaState } from './state.js';

export type { ChildFate, MemoryChild } from './memory/children.js';
export { createVirtualClock, type VirtualClock } from './memory/clock.js';
export type { EffectRow, MemoryLedger, MemoryTransaction } from './memory/ledger.js';
export type { AttemptEvent } from './attempt/world.js';

/** What a run in memory can be asked to do while it goes on. */
export interface MemoryRunControl {
  cancel(wish?: CancelWish): void;
  /** As an operator does, on the park that is open; `value`: corrected args, or an output. Throws why it is not possible. */
  decide(decision: Decision, value?: unknown): void;
  readonly state: SagaState;
  readonly ledger: MemoryLedger;
  readonly clock: VirtualClock;
}

export interface MemoryRunOptions<D extends AnyJobDefinition> {
  readonly input: z.input<D['input']>;
  /** Share it with fakes that take their time (`clock.sleep`). */
  readonly clock?: VirtualClock;
  /** Of the jitter. */
  readonly seed?: number;
  /** Cancels this many virtual milliseconds after the start, or at the first event the function says yes to. */
  readonly cancelAt?: number | ((event: AttemptEvent, index: number) => boolean);
  /** Told every event as it happens, with the means to interfere. */
  readonly onEvent?: (event: AttemptEvent, control: MemoryRunControl) => void;
  /** Told each park, once it is stored; the state's `park` says where. */
  readonly onPark?: (control: MemoryRunControl) => void;
  /** Stops at the first park that nobody decides and no time ends, instead of letting time pass until the deadline. */
  readonly stopWhenParked?: boolean;
  /** For `own` effects: what `ctx.tx` is. */
  readonly openTransaction?: () => MemoryTransaction;
  /** What becomes of the job's children, by their inputs and places in their step; they succeed otherwise. */
  readonly childFate?: (input: unknown, index: number) => ChildFate;
  /** Names of locks that other jobs hold. */
  readonly foreignLocks?: ReadonlySet<string>;
  /** Wraps the ledger, to lose its answers. */
  readonly wrapLedger?: (ledger: Ledger) => Ledger;
  /** How drivers' errors are classified; as they are by default. */
  readonly classify?: World['classify'];
  /** After how many series of attempts it goes on in a new run, as it does on Temporal after some thousand events. */
  readonly continueAfter?: number;
  /** How long an attempt waits for a worker, in virtual milliseconds. Default: it begins at once. */
  readonly queuedMs?: (request: Request) => number;
  /** Step functions that do real input and output: how many real milliseconds to wait before time jumps. */
  readonly realMs?: number;
}

export interface MemoryRun {
  /** Absent: it is parked, and nothing but a decision goes on from there. */
  readonly end: SagaEnd | undefined;
  readonly state: SagaState;
  /** Attempts, undos and settlements, in order. */
  readonly trace: readonly AttemptEvent[];
  readonly ledger: MemoryLedger;
  /** In the order they were started. */
  readonly children: readonly MemoryChild[];
  readonly elapsedMs: number;
  /** One, unless it went on in another. */
  readonly runs: number;
}

const TENANT = '00000000-0000-7000-8000-000000000001';
const JOB = '00000000-0000-7000-8000-000000000002';

/** Runs a job from its input to its end, or to where it waits for a person. Throws what the saga's own code throws. */
export async function runInMemory<D extends AnyJobDefinition>(
  definition: D,
  implementation: Implementation<D>,
  options: MemoryRunOptions<D>,
): Promise<MemoryRun> {
  const kind = joinKind(definition, implementation);
  const input = (definition.input as z.ZodType).parse(options.input);
  const clock = options.clock ?? createVirtualClock();
  const startedAt = clock.now();
  const random = seededRandom(options.seed ?? 1);
  const { openTransaction, cancelAt } = options;
  const values = new Map<string, unknown>();
  const decided = new Set<number>();
  const ledger = createMemoryLedger({
    now: () => clock.now(),
    openTransaction,
    valueOf: (id) => values.get(id),
    foreignLocks: options.foreignLocks,
  });
  const job = { id: JOB, tenantId: TENANT, kind: definition.kind };
  const trace: AttemptEvent[] = [];

  const children = createMemoryChildren({
    timer: (ms, fire) => clock.timer(ms, fire),
    fateOf: options.childFate ?? (() => ({})),
    onEnded: () => saga.wake(),
  });
  const world: World = {
    children,
    ledger: options.wrapLedger?.(ledger) ?? ledger,
    now: () => clock.now(),
    random,
    timer: (ms, fire) => clock.timer(ms, fire),
    loadInput: async () => input,
    classify: options.classify ?? ((error) => error),
    observe: (event) => {
      trace.push(event);
      if (typeof cancelAt === 'function' && cancelAt(event, trace.length - 1)) control.cancel();
      options.onEvent?.(event, control);
    },
  };
  const deadlineAt = new Date(startedAt + definition.deadlineMs).toISOString();
  const { continueAfter, queuedMs } = options;
  const begin = (start: SagaStart): Interpretation => {
    const changed = () => undefined;
    const runtime = createMemoryRuntime({
      kind,
      job,
      world,
      clock,
      random,
      changed,
      continueAfter,
      queuedMs,
    });
    return interpret(definition, start, {
      ...runtime,
      async park(letter) {
        await runtime.park(letter);
        options.onPark?.(control);
      },
    });
  };
  let saga = begin({ jobId: JOB, tenantId: TENANT, kind: definition.kind, deadlineAt });
  let runs = 1;
  const runToEnd = async (): Promise<SagaEnd> => {
    const outcome = await saga.run();
    if (outcome.status !== 'CONTINUED') return outcome;
    saga = begin(travelled(outcome.start) as SagaStart);
    runs += 1;
    return runToEnd();
  };
  const control: MemoryRunControl = {
    cancel: (wish = {}) => saga.cancel(wish),
    decide(decision, value) {
      const wish: DecisionWish = {
        id: `decision ${values.size + 1}`,
        park: saga.state.park?.number ?? 0,
        decision,
        ...(decision === 'retry' && value !== undefined ? { corrects: true } : {}),
      };
      const refusal = saga.refusalOf(wish);
      if (refusal !== undefined) throw new TypeError(refusal);
      values.set(wish.id, value);
      decided.add(wish.park);
      saga.decide(wish);
    },
    get state() {
      return saga.state;
    },
    ledger,
    clock,
  };
  const disarm = typeof cancelAt === 'number' ? clock.timer(cancelAt, () => control.cancel()) : undefined;

  let end: SagaEnd | undefined;
  let failure: { readonly error: unknown } | undefined;
  runToEnd().then(
    (record) => (end = record),
    (error: unknown) => (failure = { error }),
  );
  const isLeftParked = (): boolean => {
    const { park } = saga.state;
    return park !== undefined && park.until === undefined && !decided.has(park.number);
  };
  const isOver = (): boolean =>
    end !== undefined || failure !== undefined || (options.stopWhenParked === true && isLeftParked());
  await clock.run(isOver, options.realMs);
  disarm?.();
  if (failure) throw failure.error;
  return {
    ...{ end, trace, ledger, runs, children: children.started },
    state: structuredClone(saga.state),
    elapsedMs: clock.now() - startedAt,
  };
}
