/**
 * The interpreter: runs a definition's `run` by SAGA_RULES over a runtime. Deterministic; both runtimes share it,
 * and it imports nothing that acts.
 */
import type { z } from 'zod';
import type { AnyJobDefinition, AnyStep, Saga, Steps } from '../define.js';
import { Rejected, toFailure } from '../failure.js';
import { toMs, type Duration } from '../duration.js';
import { payloadProblem } from '../payload.js';
import type { CancelWish, DecisionWish, SagaEnd, SagaStart } from '../protocol.js';
import type { Runtime } from '../runtime.js';
import type { SagaState } from '../state.js';
import { errorOf } from './end.js';
import { nextStart } from './handover.js';
import { forEachItem } from './for-each.js';
import { holdingBlock } from './holding.js';
import { takeUp } from './recall.js';
import { SagaRun } from './saga-run.js';
import { callStep, handled } from './step.js';
import { undoAll } from './undo.js';

export interface Interpretation {
  /** As of now. */
  readonly state: SagaState;
  /** Of the state: where it waits for a person. */
  readonly park: SagaState['park'];
  /** A wish to end; repeats and late ones are no-ops (S7). */
  cancel(wish: CancelWish): void;
  /** A child has ended: steps that were put off look again. */
  wake(): void;
  /** Why an operator's decision is not possible now; undefined when it is. */
  refusalOf(wish: DecisionWish): string | undefined;
  /** An operator's decision; one that is not possible changes nothing (S8). */
  decide(wish: DecisionWish): void;
  /**
   * Runs it; resolves after the terminal record is written, or when it is to go on in another run. Rejects when the
   * saga's own code has a programming error.
   */
  run(): Promise<SagaEnd | Continued>;
}

/** The history has grown long: the saga goes on in a run of its own, which starts with this. */
export interface Continued {
  readonly status: 'CONTINUED';
  readonly start: SagaStart;
}

/** Prepares a saga; nothing runs before `run()`, so that a wish already there is heard first. */
export function interpret(definition: AnyJobDefinition, start: SagaStart, runtime: Runtime): Interpretation {
  return new Prepared(new SagaRun(definition, start, runtime), Date.parse(start.deadlineAt));
}

/** A class, because an accessor in a literal gives every saga a hidden class of its own, which outlives it for long. */
class Prepared implements Interpretation {
  constructor(
    private readonly saga: SagaRun,
    private readonly deadlineAt: number,
  ) {}

  get state(): SagaState {
    return this.saga.state;
  }

  get park(): SagaState['park'] {
    return this.saga.parking.state;
  }

  cancel(wish: CancelWish): void {
    this.saga.cancel(wish);
  }

  wake(): void {
    this.saga.wake();
  }

  refusalOf(wish: DecisionWish): string | undefined {
    return this.saga.parking.refusalOf(wish);
  }

  decide(wish: DecisionWish): void {
    this.saga.parking.decide(wish);
  }

  run(): Promise<SagaEnd | Continued> {
    return execute(this.saga, this.deadlineAt);
  }
}

async function execute(run: SagaRun, deadlineAt: number): Promise<SagaEnd | Continued> {
  armDeadline(run, deadlineAt);
  const end = await reachEnd(run);
  if (end) await run.runtime.finish(end);
  run.ended = true;
  if (!end) return { status: 'CONTINUED', start: nextStart(run) };
  run.changed();
  return end;
}

/** Undefined when the saga is handed over instead. */
async function reachEnd(run: SagaRun): Promise<SagaEnd | undefined> {
  try {
    if (run.start.resume) await takeUp(run, run.start.resume);
    const result = await goForward(run);
    if (run.isBusy) await quiet(run);
    if (run.handover.isUnderWay) return undefined;
    if (!run.fate.cause) run.recall.check('ends');
    if (!run.fate.cause) run.fate.commit();
    return run.fate.cause ? await goBack(run) : succeeded(run, result);
  } catch (error) {
    // What went wrong meanwhile goes wrong again in the next run, which does the same.
    if (run.handover.isUnderWay) return undefined;
    throw error;
  }
}

/** Its timer is never cancelled: the end of the workflow ends it, without an event of its own. */
function armDeadline(run: SagaRun, deadlineAt: number): void {
  const leftMs = deadlineAt - run.runtime.now();
  const pass = (): void => {
    if (run.ended) return;
    run.fate.intend({ kind: 'deadline' });
    run.changed();
  };
  if (run.fate.isPastDeadline) return;
  if (leftMs > 0) void run.runtime.sleep(leftMs).then(pass);
  else pass();
}

/** Runs the author's code. Its result counts only where nothing has doomed the saga. */
async function goForward(run: SagaRun): Promise<unknown> {
  try {
    run.fate.check();
    return await (run.definition as { run: (saga: Saga<Steps>) => Promise<unknown> }).run(sagaOf(run));
  } catch (error) {
    if (run.handover.isUnderWay) return undefined;
    if (error instanceof Rejected && !run.fate.committed) run.fate.fail(toFailure(error, 'no'));
    if (!run.fate.cause) throw error;
    return undefined;
  }
}

/** Waits until nothing is in the air: steps the author did not await, and the ends of released holders. */
async function quiet(run: SagaRun): Promise<void> {
  await run.flights.landed();
  while (run.loose.size > 0) await Promise.all(run.loose);
}

async function goBack(run: SagaRun): Promise<SagaEnd> {
  const cause = run.fate.cause!;
  await undoAll(run, run.journal.undoable(), true);
  const { leftovers, skipped, journal } = run;
  return {
    status: cause.kind === 'cancelled' ? 'CANCELLED' : 'FAILED',
    compensated: !journal.hasUndone ? 'none' : leftovers.length > 0 ? 'partial' : 'all',
    leftovers,
    skipped,
    error: errorOf(cause),
  };
}

function succeeded(run: SagaRun, result: unknown): SagaEnd {
  const parsed = (run.definition.result as z.ZodType).safeParse(result);
  if (!parsed.success)
    throw run.misuse(`its result does not fit the declared schema: ${parsed.error.message}`);
  const tooLarge = payloadProblem('its result', result);
  if (tooLarge) throw run.misuse(tooLarge);
  return { status: 'SUCCEEDED', result, skipped: run.skipped, leftovers: run.leftovers };
}

function sagaOf(run: SagaRun): Saga<Steps> {
  const steps = Object.fromEntries(
    Object.entries(run.definition.steps as Readonly<Record<string, AnyStep>>)
      .filter(([, step]) => !step.holds)
      .map(([name]) => [name, (args?: unknown) => callStep(run, name, args)]),
  );
  const saga = {
    steps,
    forEach: (
      step: string,
      count: number,
      args: (item: number) => unknown,
      options: { concurrency: number },
    ) => handled(forEachItem(run, step, count, args, options)),
    holding: (
      step: string,
      args: unknown,
      options: { startOver: number },
      body: (held: unknown) => Promise<unknown>,
    ) => handled(holdingBlock(run, step, args, options, body)),
    patched: (change: string) => run.patched(change),
    sleep: (duration: Duration) => handled(run.sleep(toMs(duration))),
  };
  return saga as unknown as Saga<Steps>;
}
