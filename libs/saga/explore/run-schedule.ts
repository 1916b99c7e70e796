/** Runs one schedule of a saga in memory, against a world that does as the schedule chooses. */
import { attempt } from '../attempt/attempt.js';
import type { AttemptEvent, Host, World } from '../attempt/world.js';
import { isElsewhere, type AnyJobDefinition, type AnyStep } from '../define.js';
import { interpret, type Interpretation } from '../interpreter/interpreter.js';
import { afterMicrotasks, createVirtualClock } from '../memory/clock.js';
import { createMemoryLedger, type EffectRow, type MemoryLedger } from '../memory/ledger.js';
import { createMemoryRuntime, type Hosting } from '../memory/runtime.js';
import { effectKeyOf, itemOf, type DeadLetter, type EffectRef, type SagaEnd } from '../protocol.js';
import type { Request } from '../protocol.js';
import type { Runtime } from '../runtime.js';
import type { SagaState } from '../state.js';
import type { Choices, Option } from './choices.js';
import { FakeChildren } from './fake-children.js';
import { fakeKind, openTransaction, type FakeOutput } from './fake-kind.js';
import * as F from './faults.js';
import { FaultyLedger, type Worker } from './faulty-ledger.js';
import { Late } from './late.js';
import { busyUntil, decisionsAt, isDecision, TIME_PASSES, type DecisionOption } from './operator.js';
import { factNameOf, Truth, type Deed, type Happening } from './truth.js';

export type { FakeOutput } from './fake-kind.js';

/** What is explored: a definition, made ready once for many schedules. */
export interface Subject {
  readonly definition: AnyJobDefinition;
  readonly input: unknown;
  readonly outputs: Readonly<Record<string, FakeOutput>>;
}

export type RunEvent =
  | { readonly kind: 'attempt'; readonly event: AttemptEvent }
  | { readonly kind: 'start'; readonly request: Request; readonly state: SagaState }
  | { readonly kind: 'truth'; readonly what: Happening['what']; readonly ref: EffectRef }
  | { readonly kind: 'state'; readonly state: SagaState; readonly during: 'cancel' | 'deadline' | undefined }
  | { readonly kind: 'decision'; readonly letter: DeadLetter; readonly chosen: DecisionOption }
  | { readonly kind: 'finish'; readonly end: SagaEnd };

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
/** Longer than anything waits for it: nothing but the ledger can refuse it. */
const FROZEN_MS = 7_200_000;
const HALF = (): number => 0.5;
const PARKS_MAX = 20;

export async function runSchedule(
  { definition, input, outputs }: Subject,
  choices: Choices,
  tell: (event: RunEvent) => void,
): Promise<ScheduleRun> {
  const steps = definition.steps as Readonly<Record<string, AnyStep>>;
  const clock = createVirtualClock({ pause: afterMicrotasks, advancesMax: ADVANCES_MAX });
  const job = { ...JOB, kind: definition.kind };
  const late = new Late(clock, choices);
  let isEnded = false;
  let isParked = false;
  let isCancelled = false;
  let isOverdue = false;
  let during: 'cancel' | 'deadline' | undefined;
  let passDeadline: () => void = () => undefined;
  let isDeadlineArmed = false;
  /** Of attempts in the air, by their effects: how they are lost. */
  const losing = new Map<string, () => void>();
  let holder: string | undefined;
  /** What is stored with decisions. */
  const values = new Map<string, unknown>();
  /** What each effect was asked with. */
  const argsOf = new Map<string, unknown>();

  const truth = new Truth(({ what, fact }) => tell({ kind: 'truth', what, ref: fact }));
  const children = new FakeChildren({ clock, choices, outputs, interfere, onEnded: () => saga.wake() });
  let orphaned: readonly string[] = [];
  const ledger = createMemoryLedger({
    now: () => clock.now(),
    openTransaction: () => openTransaction(truth, (ref) => children.begin(ref)),
    valueOf: (id) => values.get(id),
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
      interfere(() => `${event.role} ${factNameOf(event)} #${event.attempt} ${event.what}`);
    },
  };
  const kind = fakeKind({
    definition,
    outputs,
    clock,
    choices,
    truth,
    late,
    lose: (ref) => losing.get(factNameOf(ref))?.(),
    interfere,
    holds: (ref) => (holder = ref && factNameOf(ref)),
  });
  const runtime = createMemoryRuntime({
    kind,
    job,
    world: base,
    clock,
    random: HALF,
    hosting,
    changed: (state) => {
      isParked = state.park !== undefined;
      tell({ kind: 'state', state, during });
    },
  });
  const watched: Runtime = {
    ...runtime,
    sleep(ms) {
      if (isDeadlineArmed) return runtime.sleep(ms);
      // The deadline, armed first: it passes when the schedule says so.
      isDeadlineArmed = true;
      return new Promise((pass) => (passDeadline = pass));
    },
    start(call) {
      const { request } = call;
      tell({ kind: 'start', request, state: saga.state });
      if (request.role !== 'step') return runtime.start(call);
      argsOf.set(factNameOf(request), request.args);
      if (call.step.kind !== 'pivot') return runtime.start(call);
      // Before the runtime begins it, as a worker does that takes it from its queue.
      queueMicrotask(() => interfere(() => `step ${factNameOf(request)} waits for a worker`));
      const running = runtime.start(call);
      void running.settled.then(({ kind: how }) => (how === 'cancelled' ? straggle(request) : undefined));
      return running;
    },
    async rule(request) {
      const where = (): string => `the ruling on ${factNameOf(request)}`;
      interfere(where);
      if (choices.choose(where, F.RULING_FAULTS) === F.RULED_TWICE) await runtime.rule(request);
      return runtime.rule(request);
    },
    async finish(end) {
      late.offerAll();
      // Whoever came goes on before it is recorded.
      if (late.areAny || late.hasCome) await clock.sleep(RECORD_MS);
      await runtime.finish(end);
      isEnded = true;
      orphaned = [...children.open];
      tell({ kind: 'finish', end });
    },
  };
  const deadlineAt = new Date(clock.now() + definition.deadlineMs).toISOString();
  const start = { jobId: JOB.id, tenantId: JOB.tenantId, kind: definition.kind, deadlineAt };
  const saga: Interpretation = interpret(definition, start, watched);

  let end: SagaEnd | undefined;
  let failure: { readonly error: unknown } | undefined;
  saga.run().then(
    (record) => (end = record),
    (error: unknown) => (failure = { error }),
  );
  const isSettled = (): boolean => end !== undefined || failure !== undefined;
  await goOn().catch((error: unknown) => (failure ??= { error }));
  return { end, error: failure?.error, state: saga.state, truth, ledger, orphaned };

  async function goOn(): Promise<void> {
    for (let parks = 0; parks <= PARKS_MAX; parks += 1) {
      await clock.run(() => isSettled() || isParked);
      const { park } = saga.state;
      if (isSettled() || !park) {
        // What is late comes, whoever has ended.
        if (late.areAny) await clock.run(() => false);
        return;
      }
      const isPast = (): boolean => isSettled() || saga.state.park?.number !== park.number;
      const letter = ledger.letters.find(({ number }) => number === park.number)!;
      const chosen = choices.choose(
        () => `park ${park.number} at ${park.undo ? 'the undo of ' : ''}${factNameOf(letter)}`,
        [...optionsAt(letter), ...(isCancelled ? [] : [F.CANCEL]), ...(isOverdue ? [] : [F.DEADLINE])],
      );
      if (chosen === F.LEFT_PARKED) return;
      if (chosen === TIME_PASSES) await passTime(letter, isPast);
      else if (isDecision(chosen)) decide(letter, chosen);
      else await intervene(chosen);
      if (!isPast()) await clock.run(() => true);
    }
    throw new Error(`It parked more than ${PARKS_MAX} times`);
  }

  function optionsAt(letter: DeadLetter): Option[] {
    const step = steps[letter.step] as AnyStep;
    return decisionsAt({
      letter,
      step,
      isLive: truth.facts.get(factNameOf(letter))?.live === true,
      isBusy: isElsewhere(step.effect) && busyUntil(rowOf(letter), clock.now()) !== undefined,
      isAnswered: outputs[letter.step] !== undefined,
    });
  }

  function rowOf({ step, item, generation }: EffectRef): EffectRow | undefined {
    for (const row of ledger.rows.values())
      if (row.step === step && row.item === item && row.generation === generation) return row;
    return undefined;
  }

  function decide(letter: DeadLetter, chosen: DecisionOption): void {
    const { decision, corrects } = chosen;
    const { effect } = steps[letter.step] as AnyStep;
    const name = factNameOf(letter);
    const wish = {
      id: `decision ${values.size + 1}`,
      park: letter.number,
      decision,
      ...(corrects ? { corrects } : {}),
    };
    const refusal = saga.refusalOf(wish);
    if (refusal !== undefined) throw new Error(`A decision that is possible is refused: ${refusal}`);
    tell({ kind: 'decision', letter, chosen });
    // As the step would have done it: under its key, where keys are honoured, so that its undo finds it.
    if (decision === 'resolve' && effect !== 'none') {
      const ref = { step: letter.step, ...itemOf(letter), generation: letter.generation };
      const deed: Deed = { ref, effect, key: effectKeyOf(JOB.id, ref) };
      if (!truth.isLive(deed)) truth.apply(deed);
    }
    values.set(wish.id, corrects ? argsOf.get(name) : decision === 'resolve' ? outputOf(letter) : undefined);
    saga.decide(wish);
  }

  function outputOf({ step, item, generation }: DeadLetter): unknown {
    const args = argsOf.get(factNameOf({ step, ...itemOf({ item }), generation }));
    return outputs[step]?.(args, { item, generation });
  }

  /** Until the time of the decision is over, or no attempt may act any more. */
  async function passTime(letter: DeadLetter, isPast: () => boolean): Promise<void> {
    const now = clock.now();
    const until = letter.until === undefined ? busyUntil(rowOf(letter), now) : Date.parse(letter.until);
    if (until === undefined) return;
    let isOver = false;
    clock.timer(until - now, () => (isOver = true));
    await clock.run(() => isOver || isPast());
  }

  /** Whatever may come from outside at any moment. */
  function interfere(where: () => string): void {
    if (isEnded) return;
    const options = [F.NOTHING];
    if (!isCancelled && choices.has('cancels')) options.push(F.CANCEL);
    if (!isOverdue && choices.has('deadlines')) options.push(F.DEADLINE);
    if (holder !== undefined && losing.has(holder)) options.push(F.HOLD_LOST);
    if (options.length === 1) return;
    const chosen = choices.choose(where, options);
    if (chosen === F.HOLD_LOST) losing.get(holder!)?.();
    else if (chosen !== F.NOTHING) void intervene(chosen);
  }

  async function intervene(what: Option): Promise<void> {
    // What comes after the cause is none.
    const isDoomed = saga.state.phase === 'compensating';
    if (what === F.CANCEL) {
      isCancelled = true;
      during = isDoomed ? undefined : 'cancel';
      saga.cancel({});
      during = undefined;
      return;
    }
    isOverdue = true;
    during = isDoomed ? undefined : 'deadline';
    passDeadline();
    await Promise.resolve();
    await Promise.resolve();
    during = undefined;
  }

  /** An attempt that was called off and may begin all the same, at once or late. */
  function straggle(request: Request): void {
    const where = (): string => `step ${factNameOf(request)}, called off,`;
    if (choices.choose(where, F.CALLED_OFF_FAULTS) !== F.HANDED_OUT) return;
    const host: Host = {
      attempt: request.attemptsMax,
      signal: AbortSignal.abort(),
      isCancelled: () => true,
      heartbeat: () => undefined,
      ready: async () => undefined,
    };
    const world = { ...hosting(request).world, observe: () => undefined };
    late.promise(request, () => void attempt(kind, request, host, world), FROZEN_MS);
    late.offer(request);
  }

  function hosting(request: Request): Hosting {
    const { promise: lost, resolve } = Promise.withResolvers<'lost'>();
    let isLost = false;
    const name = factNameOf(request);
    const lose = (): void => {
      isLost = true;
      if (losing.get(name) === lose) losing.delete(name);
      resolve('lost');
    };
    losing.set(name, lose);
    const worker: Worker = {
      name: `${request.role} ${name}`,
      lose,
      freeze: (ref) => {
        resolve('lost');
        return new Promise((thaw) => late.promise(ref, thaw, FROZEN_MS));
      },
      lost,
      isLost: () => isLost,
    };
    const world: World = {
      ...base,
      timer: (ms, fire) => clock.timer(ms, () => (isLost ? undefined : fire())),
      observe: (event) => (isLost ? undefined : base.observe(event)),
      ledger: new FaultyLedger(ledger, choices, worker),
    };
    return { world, lost };
  }
}
