/**
 * `defineJob`: what the author of a kind writes. Pure data and one pure function; everything else (validation,
 * OpenAPI, workflow type, activity names, diagrams) is derived from it. Types carry the rules of the step kinds.
 */
import { z } from 'zod';
import { toMs, type Duration } from './duration.js';

/** Which workers run a step: `cpu` and `io` are shared by a concern, `keeper` holds resources open for others. */
export type Pool = 'cpu' | 'io' | 'keeper';

/**
 * Where a step's effect is, and so what can be guaranteed of it (SAGA_RULES, ledger): in our PostgreSQL (`own`); at a
 * provider that honours idempotency keys (`keyed`), that can be asked (`probed`), or neither (`blind`).
 */
export type EffectKind = 'own' | 'keyed' | 'probed' | 'blind';

/** At somebody else's: no transaction of ours holds it, so an attempt and what it does may part. */
export function isElsewhere(effect: EffectKind | 'none'): boolean {
  return effect !== 'none' && effect !== 'own';
}

export interface RetryPolicy {
  /** Attempts in all, the first included. */
  readonly attempts: number;
  /** The cap of the first wait; each later cap doubles (exponential backoff with full jitter). */
  readonly first: Duration;
  /** The cap no wait exceeds. */
  readonly most: Duration;
}

export const RETRY_DEFAULT: RetryPolicy = { attempts: 6, first: '200ms', most: '20s' };
export const STEP_TIMEOUT_DEFAULT: Duration = '60s';
export const STEP_HEARTBEAT_DEFAULT: Duration = '10s';

type NoArgs = z.ZodUndefined;

/** What every step declares. `args` and `output` are references, cursors, counts: at most 4 KiB each (S14). */
interface StepBase<A extends z.ZodType, O extends z.ZodType> {
  readonly args?: A;
  readonly output: O;
  readonly pool: Pool;
  /** One line for people: the Temporal Web UI and the job page show it. */
  readonly summary?: string;
  /** The time box of one attempt (S13). Over 60 s it wants `longerBecause`. */
  readonly timeout?: Duration;
  readonly longerBecause?: string;
  readonly heartbeat?: Duration;
  readonly retry?: Partial<RetryPolicy>;
}

/** Of steps an operator may skip, once they are parked: what the saga goes on with instead of their output (S8). */
interface Skippable<O extends z.ZodType> {
  /** Never used unless an operator skips. Needed where the output is read later; a step without one can be skipped anyway. */
  readonly fallback?: z.output<O>;
}

/**
 * How an effect can be told to have happened. `probed`: the probe answers "did it happen?" from the step's args; it is
 * asked before every attempt after a doubt. `blind`: nobody can tell, so it is never repeated after a doubt, and a
 * person decides; the definition says that it knows.
 */
type Effect =
  | { readonly effect: 'own' | 'keyed'; readonly probe?: never }
  | { readonly effect: 'blind'; readonly atMostOnce: true; readonly probe?: never };

interface Probed<P extends string> {
  readonly effect: 'probed';
  readonly probe: P;
}

/** A pivot in doubt at a provider that honours keys is asked about before a person is. */
type PivotEffect<P extends string> = Effect | Probed<P> | { readonly effect: 'keyed'; readonly probe?: P };

interface Undoable<U extends string> {
  /** The name of the compensation, implemented beside the step; it works from the step's args alone (S1). */
  readonly undo: U;
  /** How often the undo is tried before it parks. */
  readonly undoRetry?: Partial<RetryPolicy>;
  /**
   * What keeps a lost attempt from acting after the undo (S5). `lease`, the default: the undo waits until the lease
   * of every attempt that has not reported is over. `key`: the provider refuses a burnt key, and the undo burns it;
   * nothing need be waited for.
   */
  readonly undoFence?: UndoFence;
}

export type UndoFence = 'lease' | 'key';

export type StepKind = 'readOnly' | 'compensable' | 'pivot' | 'retriable' | 'decision';

export interface Step<
  K extends StepKind = StepKind,
  A extends z.ZodType = z.ZodType,
  O extends z.ZodType = z.ZodType,
  U extends string = string,
  P extends string = string,
  H extends boolean = boolean,
> {
  readonly kind: K;
  readonly args: A;
  readonly output: O;
  readonly pool: Pool;
  readonly effect: EffectKind | 'none';
  readonly undo: U | undefined;
  readonly probe: P | undefined;
  /** True for a step that stays running and holds something open while a block of the saga runs. */
  readonly holds: H;
  readonly summary: string | undefined;
  readonly timeoutMs: number;
  readonly longerBecause: string | undefined;
  readonly heartbeatMs: number;
  readonly retry: RetryPolicy;
  readonly undoRetry: RetryPolicy;
  readonly undoFence: UndoFence;
  /** Present where an operator may skip the step: the output the saga goes on with. */
  readonly fallback: { readonly output: z.output<O> } | undefined;
  /** Of a `decision`: how long a person has, and what counts when nobody decided. */
  readonly waits: { readonly withinMs: number; readonly otherwise: z.output<O> } | undefined;
  /** Of a step that is jobs of their own (children.ts). */
  readonly children: Children | undefined;
}

/** The jobs that a step starts and waits for. */
export interface Children<D extends AnyJobDefinition = AnyJobDefinition, M extends boolean = boolean> {
  readonly of: D;
  /** As many as there are inputs, instead of one. */
  readonly many: M;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the bound of "any step", as zod's own AnyZodObject
export type AnyStep = Step<StepKind, any, any, any, any, boolean>;

/** Makes a step from what its author declares and what its kind adds. */
export function buildStep<
  K extends StepKind,
  A extends z.ZodType,
  O extends z.ZodType,
  U extends string,
  P extends string,
  H extends boolean,
>(
  kind: K,
  base: StepBase<A, O>,
  more: {
    effect: EffectKind | 'none';
    undo?: U | undefined;
    probe?: P | undefined;
    holds: H;
    undoRetry?: Partial<RetryPolicy> | undefined;
    undoFence?: UndoFence | undefined;
    fallback?: Step['fallback'];
    waits?: Step['waits'];
    children?: Children;
  },
): Step<K, A, O, U, P, H> {
  return {
    kind,
    args: base.args ?? (z.undefined() as unknown as A),
    output: base.output,
    pool: base.pool,
    effect: more.effect,
    undo: more.undo,
    probe: more.probe,
    holds: more.holds,
    summary: base.summary,
    timeoutMs: toMs(base.timeout ?? STEP_TIMEOUT_DEFAULT),
    longerBecause: base.longerBecause,
    heartbeatMs: toMs(base.heartbeat ?? STEP_HEARTBEAT_DEFAULT),
    retry: { ...RETRY_DEFAULT, ...base.retry },
    undoRetry: { ...RETRY_DEFAULT, ...more.undoRetry },
    undoFence: more.undoFence ?? 'lease',
    fallback: more.fallback as Step<K, A, O, U, P, H>['fallback'],
    waits: more.waits as Step<K, A, O, U, P, H>['waits'],
    children: more.children,
  };
}

/** What is gone on with when the step is skipped: as declared, or nothing where it answers nothing. */
function fallbackOf<O extends z.ZodType>(options: { readonly output: O } & Skippable<O>): Step['fallback'] {
  if ('fallback' in options) return { output: options.output.parse(options.fallback) };
  return options.output.safeParse(undefined).success ? { output: undefined } : undefined;
}

/**
 * A step that changes nothing outside the job: no undo can be declared. Rejected, or out of attempts, it sends the saga
 * back; past the commit point it parks.
 */
export function readOnly<O extends z.ZodType, A extends z.ZodType = NoArgs>(
  options: StepBase<A, O> & Skippable<O> & { effect?: never; undo?: never; probe?: never },
): Step<'readOnly', A, O, never, never, false> {
  return buildStep('readOnly', options, { effect: 'none', holds: false, fallback: fallbackOf(options) });
}

/**
 * A read-only step that keeps something open (a database snapshot) while the block given to `holding` runs.
 * `output` is what it announces through `ctx.ready(…)` once it holds. Until then it is retried like any step; from
 * then on losing it starts the block over.
 */
export function holder<O extends z.ZodType, A extends z.ZodType = NoArgs>(
  options: StepBase<A, O> & { effect?: never; undo?: never; probe?: never; fallback?: never },
): Step<'readOnly', A, O, never, never, true> {
  return buildStep('readOnly', options, { effect: 'none', holds: true });
}

/**
 * A step with an effect that can be taken back: `undo` is required. Rejected, out of attempts, in doubt or cancelled, it
 * sends the saga back, its own undo included, also where nothing happened. `blind` and in doubt, it parks.
 */
export function compensable<O extends z.ZodType, const U extends string, A extends z.ZodType = NoArgs>(
  options: StepBase<A, O> & Skippable<O> & Undoable<U> & Effect,
): Step<'compensable', A, O, U, never, false>;
export function compensable<
  O extends z.ZodType,
  const U extends string,
  const P extends string,
  A extends z.ZodType = NoArgs,
>(options: StepBase<A, O> & Skippable<O> & Undoable<U> & Probed<P>): Step<'compensable', A, O, U, P, false>;
export function compensable(
  options: StepBase<z.ZodType, z.ZodType> &
    Skippable<z.ZodType> &
    Undoable<string> &
    (Effect | Probed<string>),
): Step<'compensable'> {
  return buildStep('compensable', options, { ...options, fallback: fallbackOf(options), holds: false });
}

/**
 * The commit point; at most one a saga, never undone. Known not done, it sends the saga back. In doubt, ledger and probe
 * are asked ("did it happen?", after the fence), and if they cannot tell, it parks. A cancel or the deadline keeps it
 * from beginning, or from being tried again; once an attempt has begun, `signal` does not tell of it, and it waits for
 * the answer.
 */
export function pivot<O extends z.ZodType, const P extends string = never, A extends z.ZodType = NoArgs>(
  options: StepBase<A, O> & PivotEffect<P> & { undo?: never; fallback?: never },
): Step<'pivot', A, O, never, P, false> {
  return buildStep('pivot', options, { effect: options.effect, probe: options.probe, holds: false });
}

/**
 * A step after the commit point: it only goes forward, so no undo can be declared. Rejected, or out of attempts, it parks;
 * a cancel or the deadline comes too late. In a saga without a pivot the first of them is the commit point.
 */
export function retriable<O extends z.ZodType, A extends z.ZodType = NoArgs>(
  options: StepBase<A, O> & Skippable<O> & Effect & { undo?: never },
): Step<'retriable', A, O, never, never, false>;
export function retriable<O extends z.ZodType, const P extends string, A extends z.ZodType = NoArgs>(
  options: StepBase<A, O> & Skippable<O> & Probed<P> & { undo?: never },
): Step<'retriable', A, O, never, P, false>;
export function retriable(
  options: StepBase<z.ZodType, z.ZodType> & Skippable<z.ZodType> & (Effect | Probed<string>),
): Step<'retriable'> {
  return buildStep('retriable', options, { ...options, fallback: fallbackOf(options), holds: false });
}

/**
 * A wait for a person: the saga parks until an operator gives the output (`resolve`), or the time is over and
 * `otherwise` counts. It has no implementation.
 */
export function decision<O extends z.ZodType, A extends z.ZodType = NoArgs>(options: {
  readonly args?: A;
  readonly output: O;
  /** What is to be decided, in one line. */
  readonly summary: string;
  readonly within: Duration;
  readonly otherwise: z.output<O>;
}): Step<'decision', A, O, never, never, false> {
  const otherwise: unknown = options.output.parse(options.otherwise);
  return buildStep(
    'decision',
    { ...options, pool: 'io' },
    {
      effect: 'none',
      holds: false,
      waits: { withinMs: toMs(options.within), otherwise },
    },
  );
}

export type Steps = Readonly<Record<string, AnyStep>>;
export type ArgsOf<T> = T extends { readonly args: infer A extends z.ZodType } ? z.output<A> : never;
export type OutputOf<T> = T extends { readonly output: infer O extends z.ZodType } ? z.output<O> : never;

/** How the saga's `run` calls one step: with its args, or with none where none are declared. */
export type StepCall<T extends AnyStep> = [ArgsOf<T>] extends [undefined]
  ? () => Promise<OutputOf<T>>
  : (args: ArgsOf<T>) => Promise<OutputOf<T>>;

type StepNames<S extends Steps, H extends boolean> = {
  [N in keyof S]: S[N] extends { readonly holds: H } ? N : never;
}[keyof S] &
  string;

/** What `run` gets: the only way a saga reaches anything. */
export interface Saga<S extends Steps> {
  readonly steps: { readonly [N in StepNames<S, false>]: StepCall<S[N]> };
  /**
   * Runs a step for the items 0…count−1, at most `concurrency` at a time, and returns the outputs in order.
   * The first failure dooms the saga: no more are started, those in flight are awaited (S3).
   */
  readonly forEach: <N extends StepNames<S, false>>(
    step: N,
    count: number,
    args: (item: number) => ArgsOf<S[N]>,
    options: { concurrency: number },
  ) => Promise<OutputOf<S[N]>[]>;
  /**
   * Starts a holder, waits until it is ready, runs `body` with what it announced, and releases it. If the holder
   * is lost meanwhile, everything compensable the body did is undone and the body starts over under a new
   * generation of effect keys, `startOver` times at most; after that the loss fails the saga. A holder whose worker
   * was stopped as planned (a deployment, Ctrl-C) does not count.
   */
  readonly holding: <N extends StepNames<S, true>, R>(
    step: N,
    args: ArgsOf<S[N]>,
    options: { startOver: number },
    body: (held: OutputOf<S[N]>) => Promise<R>,
  ) => Promise<R>;
  /**
   * Whether this job goes the way of a change to `run`: false for jobs that passed this point before the change was
   * deployed, true for all others. A change has one answer a job. See docs/changing-a-kind.md.
   */
  readonly patched: (change: string) => boolean;
  /** Waits, durably: no worker is held meanwhile. Cut short when the saga ends or goes back. */
  readonly sleep: (duration: Duration) => Promise<void>;
}

/** The parts of a kind, as its file gives them to `defineJob`. */
export interface JobOptions<I extends z.ZodType, R extends z.ZodType, S extends Steps> {
  /** `concern.noun`, e.g. `report.export`. */
  readonly kind: string;
  /** One line for `/kinds` and OpenAPI. */
  readonly summary: string;
  /** The concern: the prefix of its task queues (`reports` → `reports-cpu`, `reports-io`). */
  readonly queue: string;
  readonly input: I;
  readonly result: R;
  /** Everything that makes two jobs the same job. Without it, the client may send a `key`. */
  readonly naturalKey?: (input: z.output<I>) => readonly (string | number)[];
  /** From acceptance to the end (S10). */
  readonly deadline: Duration;
  /** Started by other jobs only, as one of their children; no client can submit it. */
  readonly internal?: true;
  /** For kinds whose result is a file: how long it is kept after it was published. */
  readonly artifact?: { readonly ttl: Duration };
  /** An example input for OpenAPI, the docs and the CLI's help. It must parse. */
  readonly example: z.input<I>;
  readonly steps: S;
  readonly run: (saga: Saga<S>) => Promise<z.output<R>>;
}

export interface JobDefinition<
  I extends z.ZodType = z.ZodType,
  R extends z.ZodType = z.ZodType,
  S extends Steps = Steps,
> extends JobOptions<I, R, S> {
  /** `report.export` → `reportExport`: the Temporal workflow type and the prefix of its activities. */
  readonly workflowType: string;
  readonly deadlineMs: number;
  readonly artifactTtlMs: number | undefined;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the bound of "any definition": run is contravariant in its steps
export type AnyJobDefinition = JobDefinition<any, any, any>;

const KIND_PATTERN = /^[a-z]+(?:\.[a-z]+)+$/;
const TIMEBOX_MAX_MS = 60_000;

/** Makes a kind of job from its parts. Throws at boot, saying how to mend it, where a rule is broken that types cannot say. */
export function defineJob<I extends z.ZodType, R extends z.ZodType, const S extends Steps>(
  options: JobOptions<I, R, S>,
): JobDefinition<I, R, S> {
  const { kind, steps } = options;
  const refuse = (problem: string): never => {
    throw new TypeError(`Kind "${kind}": ${problem}`);
  };
  if (!KIND_PATTERN.test(kind))
    refuse('write the kind as lower-case words joined by dots, e.g. report.export');
  // A fairness key has 64 bytes, of which a tenant's id takes 37.
  if (!/^[a-z]{1,27}$/.test(options.queue))
    refuse(`queue "${options.queue}" must be one lower-case word of at most 27 letters, e.g. reports`);
  const pivots = Object.entries(steps).filter(([, step]) => step.kind === 'pivot');
  if (pivots.length > 1) {
    refuse(
      `has ${pivots.length} pivots (${pivots.map(([n]) => n).join(', ')}); keep one, give the others an undo`,
    );
  }
  for (const [name, step] of Object.entries(steps)) {
    if (!/^[a-z][A-Za-z0-9]*$/.test(name)) refuse(`step "${name}" must be camelCase`);
    if (step.timeoutMs > TIMEBOX_MAX_MS && !step.longerBecause) {
      refuse(`step "${name}" may run longer than 60s; split it, or say why in longerBecause`);
    }
    if (step.undoFence === 'key' && step.effect !== 'keyed')
      refuse(`step "${name}" has undoFence "key"; only a provider that honours keys can refuse a burnt one`);
    if (step.heartbeatMs > step.timeoutMs) refuse(`step "${name}" has a heartbeat longer than its timeout`);
  }
  return {
    ...options,
    workflowType: kind.replace(/\.([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    deadlineMs: toMs(options.deadline),
    artifactTtlMs: options.artifact ? toMs(options.artifact.ttl) : undefined,
  };
}

/** `reports` + `cpu` → `reports-cpu`. */
export function taskQueueOf(queue: string, pool: Pool): string {
  return `${queue}-${pool}`;
}

/** `reportExport.render`: the activity type of a step, an undo or a probe. */
export function activityNameOf(definition: { workflowType: string }, name: string): string {
  return `${definition.workflowType}.${name}`;
}
