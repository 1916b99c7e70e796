/** The kind's steps, undos and probes as fakes: each does to the truth what it should, or what the schedule chooses. */
import { leaseMsOf, UNDO_TIMEOUT_MS } from '../attempt/limits.js';
import type { Kind } from '../attempt/world.js';
import type { AnyJobDefinition, EffectKind, Step } from '../define.js';
import { Rejected, Transient } from '../failure.js';
import type { CallContext, ProbeOutcome, StepContext, UndoContext } from '../implement.js';
import type { VirtualClock } from '../memory/clock.js';
import type { MemoryTransaction } from '../memory/ledger.js';
import { type EffectRef } from '../protocol.js';
import type { Choices, Option } from './choices.js';
import * as F from './faults.js';
import { never } from './faulty-ledger.js';
import type { Late } from './late.js';
import { factNameOf, type Deed, type Truth } from './truth.js';

/** What a step answers when it goes well. */
export type FakeOutput = (
  args: unknown,
  context: { item: number | undefined; generation: number },
) => unknown;

/** What the fakes share with the run. */
export interface Surroundings {
  readonly outputs: Readonly<Record<string, FakeOutput>>;
  readonly clock: VirtualClock;
  readonly choices: Choices;
  readonly truth: Truth;
  readonly late: Late;
  /** The attempt in the air for this effect is never heard of again. */
  readonly lose: (ref: EffectRef) => void;
  /** Whatever may come from outside now may come. */
  readonly interfere: (where: () => string) => void;
  readonly holds: (ref: EffectRef | undefined) => void;
}

const WORK_MS = 1;
/** An attempt may ask before it acts; who is late is so before the lease is over, as whoever calls out must see to. */
const BEFORE_LEASE_MS = 3 * WORK_MS;

/** The kind, as attempts call it: made once for many schedules, which are run one after the other. */
export interface FakeKind {
  readonly kind: Kind;
  /** A schedule begins: from now on the fakes act in its surroundings. */
  readonly enter: (around: Surroundings) => void;
}

export function createFakeKind(definition: AnyJobDefinition): FakeKind {
  const steps = Object.entries(definition.steps as Readonly<Record<string, Step>>);
  const fakes = steps.map(([name, step]) => new Fake(name, step));
  const byName = new Map(fakes.map((fake) => [fake.name, fake]));
  // Steps may share an undo, as those with children do: whose effect it is, its key says (`jobId/step…`).
  const fakeOf = ({ key }: { readonly key: string }): Fake => byName.get(key.split('/', 2)[1] ?? '')!;
  const kind: Kind = {
    definition,
    steps: Object.fromEntries(
      fakes.map((fake): [string, Kind['steps'][string]] => [
        fake.name,
        (args, context) => fake.act(args, context),
      ]),
    ),
    undos: Object.fromEntries(
      fakes.flatMap((fake): [string, Kind['undos'][string]][] =>
        fake.step.undo === undefined
          ? []
          : [[fake.step.undo, (_, context) => fakeOf(context).takeBack(context)]],
      ),
    ),
    probes: Object.fromEntries(
      fakes.flatMap((fake): [string, Kind['probes'][string]][] =>
        fake.step.probe === undefined ? [] : [[fake.step.probe, (args, context) => fake.look(args, context)]],
      ),
    ),
  };
  const enter = (around: Surroundings): void => {
    for (const fake of fakes) fake.around = around;
  };
  return { kind, enter };
}

class Fake {
  around!: Surroundings;

  constructor(
    readonly name: string,
    readonly step: Step,
  ) {}

  async act(args: unknown, context: StepContext<unknown, Step>): Promise<unknown> {
    const { step, around } = this;
    const { choices } = around;
    const ref = this.refOf(context);
    const label = (): string => `step ${factNameOf(ref)} #${context.attempt}`;
    if (step.holds) return this.hold(ref, args, context, choices.choose(label, F.stepFaults(step)));
    await around.clock.sleep(WORK_MS, context.signal);
    around.late.offer(ref);
    if (context.signal.aborted) throw told('it was told to end', step.effect === 'none' ? 'no' : 'unknown');
    const chosen = choices.choose(label, F.stepFaults(step));
    const failed = this.failBefore(chosen, ref);
    if (failed) return failed;
    if (step.effect === 'own') {
      await context.tx.lock(lockNameOf(ref));
      await context.tx.query('apply', [ref]);
    } else if (step.effect !== 'none') {
      const deed = { ref, effect: step.effect, key: context.key };
      const come = (): unknown => around.truth.apply(deed);
      if (isLate(chosen)) return this.comeLate(chosen, ref, come, step.timeoutMs);
      if (around.truth.apply(deed) === 'burnt') throw new Rejected('key_burnt', 'The key is burnt');
      const lost = this.goOn(chosen, ref, label);
      if (lost) return lost;
    }
    // Of children the inputs, which nobody reads here.
    return step.children ? [] : this.answer(args, context);
  }

  async takeBack(context: UndoContext<unknown>): Promise<'undone' | 'noop'> {
    const { step, around } = this;
    const ref = this.refOf(context);
    const label = (): string => `undo ${factNameOf(ref)} #${context.attempt}`;
    await around.clock.sleep(WORK_MS, context.signal);
    around.late.offer(ref);
    if (context.signal.aborted) throw told('it was told to end', 'unknown');
    const chosen = around.choices.choose(label, F.undoFaults(step));
    const failed = this.failBefore(chosen, ref);
    if (failed) return failed;
    if (step.effect === 'own') {
      await context.tx.query('reverse', [ref]);
      return 'undone';
    }
    const deed: Deed = { ref, effect: step.effect as EffectKind, key: context.key };
    const reverse = () => around.truth.reverse(deed, context.undoKey, step.undoFence === 'key');
    if (isLate(chosen)) return this.comeLate(chosen, ref, reverse, UNDO_TIMEOUT_MS);
    const outcome = reverse();
    return this.goOn(chosen, ref, label) ?? outcome;
  }

  async look(args: unknown, context: CallContext<unknown>): Promise<ProbeOutcome<unknown>> {
    const { step, around } = this;
    const ref = this.refOf(context);
    await around.clock.sleep(WORK_MS, context.signal);
    around.late.offer(ref);
    const label = (): string => `probe ${factNameOf(ref)} #${context.attempt}`;
    const chosen = around.choices.choose(label, F.PROBE_FAULTS);
    if (chosen === F.PROBE_FAILS) throw told('no answer', 'unknown');
    if (chosen === F.WORKER_LOST) return this.lost(ref);
    const deed: Deed = { ref, effect: step.effect as EffectKind, key: context.key };
    if (!around.truth.isLive(deed)) return { happened: false };
    return { happened: true, output: this.answer(args, context) };
  }

  private async hold(
    ref: EffectRef,
    args: unknown,
    context: StepContext<unknown, Step>,
    chosen: Option,
  ): Promise<void> {
    const failed = this.failBefore(chosen, ref);
    if (failed) return failed;
    await context.ready(this.answer(args, context));
    this.around.holds(ref);
    await new Promise<void>((resolve) => {
      if (context.signal.aborted) resolve();
      context.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.around.holds(undefined);
  }

  private answer(args: unknown, { item, generation }: CallContext<unknown>): unknown {
    return this.around.outputs[this.name]?.(args, { item, generation });
  }

  private refOf({ item, generation }: CallContext<unknown>): EffectRef {
    return { step: this.name, item, generation };
  }

  /** What goes wrong before anything is done; undefined where nothing does. */
  private failBefore(chosen: Option, ref: EffectRef): Promise<never> | undefined {
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
        return this.lost(ref);
    }
    return undefined;
  }

  /** What goes wrong once it has taken effect; undefined where nothing does. */
  private goOn(chosen: Option, ref: EffectRef, label: () => string): Promise<never> | undefined {
    this.around.interfere(() => `${label()} has taken effect`);
    if (chosen === F.ANSWER_LOST) throw told('no answer', 'unknown');
    return chosen === F.WORKER_LOST_AFTER ? this.lost(ref) : undefined;
  }

  private comeLate(chosen: Option, ref: EffectRef, come: () => unknown, timeoutMs: number): Promise<never> {
    this.around.late.promise(ref, come, leaseMsOf(timeoutMs) - BEFORE_LEASE_MS);
    return chosen === F.WORKER_LATE ? this.lost(ref) : never();
  }

  private lost(ref: EffectRef): Promise<never> {
    this.around.lose(ref);
    return never();
  }
}

/** Each step of our own takes a lock of its own, which is the job's from then on (S15). */
export function lockNameOf({ step }: { readonly step: string }): string {
  return `lock of ${step}`;
}

/** Our own database: what is asked for happens when it is committed. */
export function openTransaction(truth: Truth, startChildren: (ref: EffectRef) => void): MemoryTransaction {
  const todo: (() => void)[] = [];
  return {
    tx: {
      async query(text: string, values: readonly unknown[] = []) {
        const [ref] = values as [EffectRef];
        const deed: Deed = { ref, effect: 'own', key: factNameOf(ref) };
        todo.push(() => {
          if (text === 'start') startChildren(ref);
          else if (text === 'apply') truth.apply(deed);
          else truth.reverse(deed, `${deed.key}/undo`);
        });
        return { rows: [], rowCount: 0 };
      },
    },
    commit: () => {
      for (const work of todo) work();
    },
    rollback: () => undefined,
  };
}

function isLate(chosen: Option): boolean {
  return chosen === F.LATE || chosen === F.WORKER_LATE;
}

function told(message: string, certainty: 'no' | 'unknown'): Transient {
  return new Transient('down', message, { certainty });
}
