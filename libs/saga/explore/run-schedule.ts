/** Runs one schedule of a saga in memory, against a world that does as the schedule chooses. */
import { leaseMsOf } from '../attempt/limits.js';
import type { AttemptEvent, Kind, World } from '../attempt/world.js';
import type { AnyJobDefinition, Step } from '../define.js';
import { Rejected, Transient } from '../failure.js';
import type { CallContext, StepContext, UndoContext } from '../implement.js';
import { interpret } from '../interpreter/interpreter.js';
import { afterMicrotasks, createVirtualClock } from '../memory/clock.js';
import { createMemoryLedger, type MemoryLedger, type MemoryTransaction } from '../memory/ledger.js';
import { createMemoryRuntime, type Hosting } from '../memory/runtime.js';
import { itemOf, type EffectRef, type Request, type SagaEnd } from '../protocol.js';
import type { Runtime } from '../runtime.js';
import type { SagaState } from '../state.js';
import type { Choices, Option } from './choices.js';
import * as F from './faults.js';
import { FaultyLedger, never, type Worker } from './faulty-ledger.js';
import { createTruth, factNameOf, type Truth } from './truth.js';

/** What a step answers when it goes well. */
export type FakeOutput = (
  args: unknown,
  context: { item: number | undefined; generation: number },
) => unknown;

/** What is explored: a definition, made ready once for many schedules. */
export interface Subject {
  readonly definition: AnyJobDefinition;
  readonly input: unknown;
  readonly outputs: Readonly<Record<string, FakeOutput>>;
}

export type RunEvent =
  | { readonly kind: 'attempt'; readonly event: AttemptEvent }
  | { readonly kind: 'start'; readonly request: Request; readonly state: SagaState }
  | { readonly kind: 'truth'; readonly what: 'applied' | 'undone'; readonly ref: EffectRef }
  | { readonly kind: 'state'; readonly state: SagaState; readonly during: 'cancel' | 'deadline' | undefined }
  | { readonly kind: 'finish'; readonly end: SagaEnd };

export interface ScheduleRun {
  readonly end: SagaEnd | undefined;
  readonly error: unknown;
  readonly state: SagaState;
  readonly truth: Truth;
  readonly ledger: MemoryLedger;
}

/** Something that is still to come, whoever has given it up. */
interface Late {
  readonly ref: EffectRef;
  readonly come: () => void;
}

const JOB = { id: 'job', tenantId: 'tenant' };
/** More than any schedule needs: what goes on longer never ends. */
const ADVANCES_MAX = 2_000;
const WORK_MS = 1;
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
  const clock = createVirtualClock({ pause: afterMicrotasks, advancesMax: ADVANCES_MAX });
  const job = { ...JOB, kind: definition.kind };
  const late = new Set<Late>();
  let isEnded = false;
  let isParked = false;
  let hasComeLate = false;
  let isCancelled = false;
  let isOverdue = false;
  let during: 'cancel' | 'deadline' | undefined;
  let passDeadline: () => void = () => undefined;
  /** Of attempts in the air, by their names: how they are lost. */
  const losing = new Map<string, () => void>();
  let holder: string | undefined;

  const truth = createTruth(({ what, fact }) => tell({ kind: 'truth', what, ref: fact }));
  const ledger = createMemoryLedger({ now: () => clock.now(), openTransaction });
  const base: World = {
    ledger,
    now: () => clock.now(),
    random: HALF,
    timer: (ms, fire) => clock.timer(ms, fire),
    loadInput: async () => input,
    classify: (error) => error,
    observe: (event) => {
      tell({ kind: 'attempt', event });
      if (late.size > 0 && event.role === 'undo' && event.what !== 'begin') comeLate(event);
      interfere(() => `${event.role} ${factNameOf(event)} #${event.attempt} ${event.what}`);
    },
  };
  const kind = implement();
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
  let timers = 0;
  const watched: Runtime = {
    ...runtime,
    timer(ms) {
      timers += 1;
      if (timers > 1) return runtime.timer(ms);
      // The deadline, armed first: it passes when the schedule says so.
      const { promise: elapsed, resolve } = Promise.withResolvers<void>();
      passDeadline = resolve;
      return { elapsed, cancel: () => undefined };
    },
    start(call) {
      tell({ kind: 'start', request: call.request, state: saga.state });
      return runtime.start(call);
    },
    async finish(end) {
      for (const { ref } of late) comeLate(ref);
      // Whoever came goes on before it is recorded.
      if (late.size > 0 || hasComeLate) await clock.sleep(RECORD_MS);
      await runtime.finish(end);
      isEnded = true;
      tell({ kind: 'finish', end });
    },
  };
  const deadlineAt = new Date(clock.now() + definition.deadlineMs).toISOString();
  const start = { jobId: JOB.id, tenantId: JOB.tenantId, kind: definition.kind, deadlineAt };
  const saga = interpret(definition, start, watched);

  let end: SagaEnd | undefined;
  let failure: { readonly error: unknown } | undefined;
  saga.run().then(
    (record) => (end = record),
    (error: unknown) => (failure = { error }),
  );
  const isSettled = (): boolean => end !== undefined || failure !== undefined;
  await goOn().catch((error: unknown) => (failure ??= { error }));
  return { end, error: failure?.error, state: saga.state, truth, ledger };

  async function goOn(): Promise<void> {
    for (let parks = 0; parks <= PARKS_MAX; parks += 1) {
      await clock.run(() => isSettled() || isParked);
      const { park } = saga.state;
      if (isSettled() || !park) break;
      const decision = choices.choose(
        () => `park ${park.number} at ${park.undo ? 'the undo of ' : ''}${park.step}`,
        [F.LEFT_PARKED, F.RETRY, ...(isCancelled ? [] : [F.CANCEL]), ...(isOverdue ? [] : [F.DEADLINE])],
      );
      if (decision === F.LEFT_PARKED) return;
      if (decision === F.RETRY) saga.decide({ id: `d${park.number}`, park: park.number, decision: 'retry' });
      else await intervene(decision);
      if (saga.state.park?.number === park.number) await clock.run(() => true);
    }
    // What is late comes, whoever has ended.
    if (late.size > 0) await clock.run(() => false);
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

  function hosting(request: Request): Hosting {
    const { promise: lost, resolve } = Promise.withResolvers<'lost'>();
    let isLost = false;
    const name = `${request.role} ${factNameOf(request)}`;
    const lose = (): void => {
      isLost = true;
      losing.delete(name);
      resolve('lost');
    };
    losing.set(name, lose);
    const worker: Worker = {
      name,
      lose,
      freeze: (ref) => {
        resolve('lost');
        return new Promise((thaw) => promise({ ref, come: thaw }, FROZEN_MS));
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

  function implement(): Kind {
    const all = Object.entries(definition.steps as Readonly<Record<string, Step>>).map(([name, step]) => {
      const answer = (args: unknown, { item, generation }: CallContext<unknown>): unknown =>
        outputs[name]?.(args, { item, generation });
      return { name, step, answer };
    });
    // Not property by property: each function put on so gives the object a hidden class that keeps the function, and
    // with it the whole run, until the next full collection.
    return {
      definition,
      steps: Object.fromEntries(
        all.map(({ name, step, answer }): [string, Kind['steps'][string]] => [
          name,
          (args, context) =>
            step.holds
              ? hold(name, step, context, () => answer(args, context))
              : work(name, step, context, () => answer(args, context)),
        ]),
      ),
      undos: Object.fromEntries(
        all
          .filter(({ step }) => step.undo !== undefined)
          .map(({ name, step }): [string, Kind['undos'][string]] => [
            step.undo as string,
            (_, context) => takeBack(name, step, context),
          ]),
      ),
      probes: Object.fromEntries(
        all
          .filter(({ step }) => step.probe !== undefined)
          .map(({ name, step, answer }): [string, Kind['probes'][string]] => [
            step.probe as string,
            (args, context) => look(name, context, () => answer(args, context)),
          ]),
      ),
    };
  }

  async function work(
    name: string,
    step: Step,
    context: StepContext<unknown, Step>,
    answer: () => unknown,
  ): Promise<unknown> {
    const ref = refOf(name, context);
    const label = `step ${factNameOf(ref)}`;
    await clock.sleep(WORK_MS, context.signal);
    if (late.size > 0) comeLate(refOf(name, context));
    if (context.signal.aborted) throw told('it was told to end', step.effect === 'none' ? 'no' : 'unknown');
    const chosen = choices.choose(() => `${label} #${context.attempt}`, F.stepFaults(step));
    const failed = failBefore(chosen, label);
    if (failed) return failed;
    if (chosen === F.LATE) return comingLate(context.key, ref, step);
    if (chosen === F.WORKER_LATE) {
      void comingLate(context.key, ref, step);
      return lost(label);
    }
    if (step.effect === 'own') await context.tx.query('apply', [ref]);
    else if (step.effect !== 'none') {
      if (truth.apply(context.key, ref) === 'burnt') throw new Rejected('key_burnt', 'The key is burnt');
      interfere(() => `${label} #${context.attempt} has taken effect`);
      if (chosen === F.ANSWER_LOST) throw told('no answer', 'unknown');
      if (chosen === F.WORKER_LOST_AFTER) return lost(label);
    }
    return answer();
  }

  async function hold(
    name: string,
    step: Step,
    context: StepContext<unknown, Step>,
    answer: () => unknown,
  ): Promise<void> {
    const label = `step ${factNameOf(refOf(name, context))}`;
    const chosen = choices.choose(() => `${label} #${context.attempt}`, F.stepFaults(step));
    const failed = failBefore(chosen, label);
    if (failed) return failed;
    await context.ready(answer());
    holder = label;
    await new Promise<void>((resolve) => {
      if (context.signal.aborted) resolve();
      context.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    holder = undefined;
  }

  async function takeBack(
    name: string,
    step: Step,
    context: UndoContext<unknown>,
  ): Promise<'undone' | 'noop'> {
    const label = `undo ${factNameOf(refOf(name, context))}`;
    await clock.sleep(WORK_MS, context.signal);
    if (late.size > 0) comeLate(refOf(name, context));
    if (context.signal.aborted) throw told('it was told to end', 'unknown');
    const chosen = choices.choose(() => `${label} #${context.attempt}`, F.UNDO_FAULTS);
    const failed = failBefore(chosen, label);
    if (failed) return failed;
    if (step.effect === 'own') {
      await context.tx.query('reverse', [refOf(name, context)]);
      return 'undone';
    }
    const outcome = truth.reverse(context.key, context.undoKey, step.undoFence === 'key');
    interfere(() => `${label} #${context.attempt} has taken effect`);
    if (chosen === F.ANSWER_LOST) throw told('no answer', 'unknown');
    if (chosen === F.WORKER_LOST_AFTER) return lost(label);
    return outcome;
  }

  async function look(
    name: string,
    context: CallContext<unknown>,
    answer: () => unknown,
  ): Promise<{ happened: true; output: unknown } | { happened: false }> {
    const label = `settle ${factNameOf(refOf(name, context))}`;
    await clock.sleep(WORK_MS, context.signal);
    if (late.size > 0) comeLate(refOf(name, context));
    const chosen = choices.choose(() => `${label} #${context.attempt}`, F.PROBE_FAULTS);
    if (chosen === F.PROBE_FAILS) throw told('no answer', 'unknown');
    if (chosen === F.WORKER_LOST) return lost(label);
    return truth.isLive(context.key) ? { happened: true, output: answer() } : { happened: false };
  }

  /** What goes wrong before anything is done; undefined where nothing does. */
  function failBefore(chosen: Option, label: string): Promise<never> | undefined {
    switch (chosen) {
      case F.REJECTS:
        throw new Rejected('rejected', 'A business no');
      case F.FAILS:
        throw told('it failed', 'no');
      case F.UNHEARD:
        throw told('no answer', 'unknown');
      case F.BUG:
        throw new TypeError('undefined is not a function');
      case F.WORKER_LOST:
        return lost(label);
    }
    return undefined;
  }

  /** The attempt of this name is never heard of again. */
  function lost(label: string): Promise<never> {
    losing.get(label)?.();
    return never();
  }

  /** It takes effect at some moment before its lease is over, as whoever calls out must see to. */
  function comingLate(key: string, ref: EffectRef, step: Step): Promise<never> {
    promise({ ref, come: () => truth.apply(key, ref) }, leaseMsOf(step.timeoutMs) - WORK_MS - 1);
    return never();
  }

  function promise(one: Late, atLatestMs: number): void {
    late.add(one);
    clock.timer(atLatestMs, () => arrive(one));
  }

  function arrive(one: Late): void {
    if (!late.delete(one)) return;
    hasComeLate = true;
    one.come();
  }

  /** Before anything is done about an effect, what is late there may come. */
  function comeLate(ref: EffectRef): void {
    for (const one of late) {
      if (factNameOf(one.ref) !== factNameOf(ref)) continue;
      const label = (): string => `what is late of ${factNameOf(ref)} comes`;
      if (choices.choose(label, [F.NOT_YET, F.NOW]) === F.NOW) arrive(one);
    }
  }

  function openTransaction(): MemoryTransaction {
    const todo: (() => void)[] = [];
    return {
      tx: {
        async query(text: string, values: readonly unknown[] = []) {
          const [ref] = values as [EffectRef];
          todo.push(() => (text === 'apply' ? truth.commit(ref) : truth.commitUndo(ref)));
          return { rows: [], rowCount: 0 };
        },
      },
      commit: () => {
        for (const work of todo) work();
      },
      rollback: () => undefined,
    };
  }
}

function refOf(step: string, { item, generation }: CallContext<unknown>): EffectRef {
  return { step, ...itemOf({ item }), generation };
}

function told(message: string, certainty: 'no' | 'unknown'): Transient {
  return new Transient('down', message, { certainty });
}
