/** Runs one schedule of a saga in memory, against a world that does as the schedule chooses. */
import { travelled } from '../attempt/context.js';
import type { Kind, World } from '../attempt/world.js';
import type { AnyJobDefinition } from '../define.js';
import { interpret, type Interpretation } from '../interpreter/interpreter.js';
import { decidableOf } from '../interpreter/parking.js';
import { afterMicrotasks, createVirtualClock, type VirtualClock } from '../memory/clock.js';
import { createMemoryLedger, type MemoryLedger } from '../memory/ledger.js';
import { createMemoryRuntime } from '../memory/runtime.js';
import type { DeadLetter, SagaEnd, SagaStart } from '../protocol.js';
import type { Runtime, Running, Call } from '../runtime.js';
import type { SagaState } from '../state.js';
import type { Choices } from './choices.js';
import { Decider } from './decider.js';
import type { Tell } from './events.js';
import { FakeChildren } from './fake-children.js';
import { openTransaction, type FakeKind, type FakeOutput } from './fake-kind.js';
import * as F from './faults.js';
import { Interference } from './interference.js';
import { Late } from './late.js';
import { isDecision, TIME_PASSES } from './operator.js';
import { factNameOf, Truth } from './truth.js';
import { Workers } from './workers.js';

/** What is explored: a definition, made ready once for many schedules. */
export interface Subject {
  readonly definition: AnyJobDefinition;
  readonly fakes: FakeKind;
  readonly input: unknown;
  readonly outputs: Readonly<Record<string, FakeOutput>>;
  /** After how many series of attempts it goes on in a new run. */
  readonly continueAfter?: number | undefined;
}

export interface ScheduleRun {
  readonly end: SagaEnd | undefined;
  readonly error: unknown;
  readonly state: SagaState;
  readonly truth: Truth;
  readonly ledger: MemoryLedger;
  /** Effects whose children were open when the end was recorded. */
  readonly orphaned: readonly string[];
}

const JOB = { id: 'job', tenantId: 'tenant' };
/** More than any schedule needs: what goes on longer never ends. */
const ADVANCES_MAX = 2_000;
const RECORD_MS = 5;
/** Longer than any heartbeat: whoever waits for a lost worker knows by then. */
const NOTICED_MS = 60_000;
const HALF = (): number => 0.5;
const PARKS_MAX = 20;

export async function runSchedule(subject: Subject, choices: Choices, tell: Tell): Promise<ScheduleRun> {
  const { definition, fakes, input, outputs, continueAfter } = subject;
  const { kind } = fakes;
  const clock = createVirtualClock({ pause: afterMicrotasks, advancesMax: ADVANCES_MAX });
  const late = new Late(clock, choices);
  const truth = new Truth(({ what, fact }) => tell({ kind: 'truth', what, ref: fact }));
  const children = new FakeChildren({
    ...{ clock, choices, outputs },
    interfere: (where) => interference.at(where),
    onEnded: () => saga.wake(),
  });
  const decider = new Decider({
    definition,
    outputs,
    jobId: JOB.id,
    clock,
    truth,
    ledger: () => ledger,
    tell,
  });
  const ledger = createMemoryLedger({
    now: () => clock.now(),
    openTransaction: () => openTransaction(truth, (ref) => children.begin(ref)),
    valueOf: (id) => decider.valueOf(id),
  });
  const base: World = {
    ledger,
    children,
    now: () => clock.now(),
    random: HALF,
    timer: (ms, fire) => clock.timer(ms, fire),
    loadInput: async () => input,
    classify: (error) => error,
    observe: (event) => {
      tell({ kind: 'attempt', event });
      if (event.role === 'undo' && event.what !== 'begin') late.offer(event);
      interference.at(() => `${event.role} ${factNameOf(event)} #${event.attempt} ${event.what}`);
    },
  };
  const workers = new Workers(base, clock, choices, late);
  const interference = new Interference(choices, workers, () => saga);
  fakes.enter({
    ...{ outputs, clock, choices, truth, late },
    lose: (ref) => workers.lose(factNameOf(ref)),
    interfere: (where) => interference.at(where),
    holds: (ref) => interference.holds(ref),
  });
  const deadlineAt = new Date(clock.now() + definition.deadlineMs).toISOString();
  const present = (): Interpretation => saga;
  const parts: Parts = {
    ...{ kind, saga: present, clock, choices, late, workers, children, decider, interference, tell },
  };
  /** A run of the saga: the first, or one that goes on where another left off. */
  const begin = (start: SagaStart): Interpretation => {
    const runtime = createMemoryRuntime({
      ...{ kind, clock, job: { ...JOB, kind: definition.kind }, world: base, random: HALF, continueAfter },
      hosting: (request) => workers.host(request),
      changed: (state) => tell({ kind: 'state', state, during: interference.during }),
    });
    return interpret(definition, start, watched(runtime, parts));
  };
  const runToEnd = async (): Promise<SagaEnd> => {
    const outcome = await saga.run();
    if (outcome.status !== 'CONTINUED') return outcome;
    tell({ kind: 'continued' });
    saga = begin(travelled(outcome.start) as SagaStart);
    return runToEnd();
  };
  let saga = begin({ jobId: JOB.id, tenantId: JOB.tenantId, kind: definition.kind, deadlineAt });

  let end: SagaEnd | undefined;
  let failure: { readonly error: unknown } | undefined;
  runToEnd().then(
    (record) => (end = record),
    (error: unknown) => (failure = { error }),
  );
  const isSettled = (): boolean => end !== undefined || failure !== undefined;
  await goOn(parts, ledger, isSettled).catch((error: unknown) => (failure ??= { error }));
  return { end, error: failure?.error, state: saga.state, truth, ledger, orphaned: children.orphaned };
}

interface Parts {
  readonly kind: Kind;
  readonly clock: VirtualClock;
  readonly choices: Choices;
  readonly late: Late;
  readonly workers: Workers;
  readonly children: FakeChildren;
  readonly decider: Decider;
  readonly interference: Interference;
  readonly tell: Tell;
  /** The present run. */
  readonly saga: () => Interpretation;
}

/** The runtime, told on and interfered with. */
function watched(runtime: Runtime, parts: Parts): Runtime {
  const { clock, choices, late, children, decider, interference, tell, saga } = parts;
  let isDeadlineArmed = interference.isOverdue;
  return {
    ...runtime,
    sleep(ms) {
      if (isDeadlineArmed) return runtime.sleep(ms);
      // The deadline is armed first.
      isDeadlineArmed = true;
      return interference.armDeadline();
    },
    start(call) {
      const { request, step } = call;
      tell({ kind: 'start', request, state: saga().state });
      decider.note(request);
      return request.role === 'step' && step.kind === 'pivot'
        ? startPivot(runtime, parts, call)
        : runtime.start(call);
    },
    async recall(request) {
      interference.at(() => 'what was done is read back');
      return runtime.recall(request);
    },
    async rule(request) {
      const where = (): string => `the ruling on ${factNameOf(request)}`;
      interference.at(where);
      if (choices.choose(where, F.RULING_FAULTS) === F.RULED_TWICE) await runtime.rule(request);
      return runtime.rule(request);
    },
    async finish(end) {
      late.offerAll();
      // Whoever came goes on before it is recorded.
      if (late.areAny || late.hasCome) await clock.sleep(RECORD_MS);
      await runtime.finish(end);
      interference.end();
      children.parentEnds();
      tell({ kind: 'finish', end });
    },
  };
}

/** The pivot, which may be called off while it waits for a worker. */
function startPivot(runtime: Runtime, { kind, workers, interference }: Parts, call: Call): Running {
  const { request } = call;
  // Before the runtime begins it, as a worker does that takes it from its queue.
  queueMicrotask(() => interference.at(() => `step ${factNameOf(request)} waits for a worker`));
  const running = runtime.start(call);
  void running.settled.then(({ kind: how }) => how === 'cancelled' && workers.straggle(kind, request));
  return running;
}

/** To the end, from park to park. */
async function goOn(parts: Parts, ledger: MemoryLedger, isSettled: () => boolean): Promise<void> {
  const { clock, choices, late, decider, interference, saga } = parts;
  for (let parks = 0; parks <= PARKS_MAX; parks += 1) {
    await clock.run(() => isSettled() || saga().park !== undefined);
    const { park } = saga();
    if (isSettled() || !park) {
      // What is late comes, whoever has ended.
      if (late.areAny) await clock.run(() => false);
      return;
    }
    const isPast = (): boolean => isSettled() || saga().park?.number !== park.number;
    const letter = ledger.letters.find(({ number }) => number === park.number)!;
    const chosen = choices.choose(
      () => `park ${park.number} at ${park.undo ? 'the undo of ' : ''}${factNameOf(letter)}`,
      [...decider.optionsAt(decidableOf(letter, park)), ...interference.comesWhileParked],
    );
    if (chosen === F.LEFT_PARKED) return;
    if (chosen === TIME_PASSES) await passTime(parts, letter, isPast);
    else if (isDecision(chosen)) decider.decide(saga(), letter, chosen);
    else await interference.intervene(chosen);
    if (chosen === F.HOLD_LOST) await passMs(clock, NOTICED_MS, isPast);
    if (!isPast()) await clock.run(() => true);
  }
  throw new Error(`It parked more than ${PARKS_MAX} times`);
}

/** Until the time of the decision is over, or no attempt may act any more. */
async function passTime({ clock, decider }: Parts, letter: DeadLetter, isPast: () => boolean): Promise<void> {
  const until = decider.waitsUntil(letter);
  if (until !== undefined) await passMs(clock, until - clock.now(), isPast);
}

async function passMs(clock: VirtualClock, ms: number, isPast: () => boolean): Promise<void> {
  let isOver = false;
  clock.timer(ms, () => (isOver = true));
  await clock.run(() => isOver || isPast());
}
