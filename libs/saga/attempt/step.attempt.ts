/**
 * One attempt of a step: claim → effect → done. The one piece of code both runtimes use, so that what an attempt
 * promises does not depend on who runs it.
 */
import { CHILDREN_LOOK_MS, outputOf } from '../child-jobs.js';
import { isElsewhere, type Children, type Step } from '../define.js';
import type { OwnTransaction, StepProgress } from '../implement.js';
import type { Claim, ClaimAnswer, Completion } from '../ledger.js';
import type { StepRequest, Verdict } from '../protocol.js';
import { callContext, guarded, parseOutput, stepContext } from './context.js';
import { createProgressReporter, type ProgressReporter } from './progress.js';
import { leaseMsOf } from './limits.js';
import { openTimeBox, type TimeBox } from './time-box.js';
import {
  beforeActing,
  endingOf,
  inputOf,
  ledgerAway,
  recordLost,
  refusedVerdict,
  tellUnreported,
  type Ending,
} from './verdict.js';
import type { Host, Kind, World } from './world.js';

interface Attempt {
  readonly kind: Kind;
  readonly step: Step;
  readonly request: StepRequest;
  readonly host: Host;
  readonly world: World;
  readonly claim: Claim;
  readonly box: TimeBox;
  readonly reporter: ProgressReporter;
}

/** Runs one attempt; never throws. */
export async function attemptStep(
  kind: Kind,
  request: StepRequest,
  host: Host,
  world: World,
): Promise<Verdict> {
  const attempt = prepare(kind, request, host, world);
  try {
    const { step } = attempt;
    if (step.effect !== 'own') return await claimActRecord(attempt);
    const verdict = await inOneTransaction(attempt);
    return step.children && verdict.kind === 'done' ? await untilEnded(attempt, step.children) : verdict;
  } catch (error) {
    return await report(attempt, endingFor(attempt, error));
  } finally {
    attempt.reporter.close();
    attempt.box.close();
  }
}

function prepare(kind: Kind, request: StepRequest, host: Host, world: World): Attempt {
  const step = (kind.definition.steps as Readonly<Record<string, Step>>)[request.step] as Step;
  const claim: Claim = {
    job: request.job,
    step: request.step,
    item: request.item,
    generation: request.generation,
    seq: request.seq,
    stepKind: step.kind,
    effect: step.effect,
    undo: step.undo,
    args: request.args,
    attempt: request.before + host.attempt,
    leaseMs: leaseMsOf(step.timeoutMs),
  };
  const reporter = createProgressReporter({
    now: () => world.now(),
    timer: (ms, fire) => world.timer(ms, fire),
    // An `own` effect holds its row's lock until it commits: its progress is stored with its end.
    write: async (progress) => (step.effect === 'own' ? undefined : world.ledger.progress(claim, progress)),
    onLost: (error) => tellUnreported(world, request, claim.attempt, error),
  });
  const timer = (ms: number, fire: () => void) => world.timer(ms, fire);
  const isDeafToCancel = step.kind === 'pivot';
  const box = openTimeBox({ timeoutMs: step.timeoutMs, host, timer, isDeafToCancel });
  return { kind, step, request, host, world, claim, box, reporter };
}

/** Effects elsewhere (and steps without one): commit the claim → call with the key → compare-and-set done. */
async function claimActRecord(attempt: Attempt): Promise<Verdict> {
  const { world, claim } = attempt;
  const answer = await beforeActing(world, () => world.ledger.claim(claim));
  if (answer.kind === 'wait') {
    return { kind: 'deferred', deferMs: answer.waitMs, doubt: true, attempt: claim.attempt - 1 };
  }
  if (answer.kind !== 'claimed') return settledBefore(attempt, answer);
  const output = await act(attempt, undefined, answer.doubt === true);
  const certainty = attempt.step.effect === 'none' ? 'no' : 'unknown';
  const completion = await world.ledger
    .complete(claim, output, attempt.reporter.close())
    .catch((error: unknown) => {
      throw recordLost(error, certainty);
    });
  return completion.kind === 'recorded' ? { kind: 'done', output } : settledBefore(attempt, completion);
}

/** `own`: claim, effect and done in one transaction; exactly once, whatever the clock says. */
async function inOneTransaction(attempt: Attempt): Promise<Verdict> {
  const { world, claim } = attempt;
  let output: unknown;
  let isClaimed = false;
  const transaction = world.ledger.transact(claim, async (open) => {
    isClaimed = true;
    const { tx, close } = guarded(open);
    try {
      output = await act(attempt, tx, false);
      const progress = attempt.reporter.close();
      return { outcome: output, ...(progress ? { progress } : {}) };
    } finally {
      close();
    }
  });
  const answer = await transaction.catch((error: unknown) => {
    throw isClaimed ? error : ledgerAway(world, error);
  });
  return answer.kind === 'recorded' ? { kind: 'done', output } : settledBefore(attempt, answer);
}

/** The children are started and on record; the step is done when they have ended. */
async function untilEnded({ world, claim }: Attempt, children: Children): Promise<Verdict> {
  const look = await beforeActing(world, () => world.children.look(claim, children));
  if (look.open === 0) return { kind: 'done', output: outputOf(look, children) };
  return { kind: 'deferred', deferMs: CHILDREN_LOOK_MS, doubt: false, attempt: claim.attempt - 1 };
}

function settledBefore(
  attempt: Attempt,
  answer: Exclude<ClaimAnswer | Completion, { kind: 'recorded' }>,
): Verdict {
  if (answer.kind === 'done') return { kind: 'done', output: answer.outcome };
  const { request, host, step } = attempt;
  if (answer.kind === 'refused') return refusedVerdict(answer.why, request, host, step.effect !== 'none');
  throw new Error('A transaction that claimed must also record');
}

/** Calls the author's function inside the time box; of an effect in doubt, only once the probe says it has not happened. */
async function act(attempt: Attempt, tx: OwnTransaction | undefined, isInDoubt: boolean): Promise<unknown> {
  const { kind, step, request, host, world, box, reporter, claim } = attempt;
  const input = await inputOf(world, request);
  const label = request.item === undefined ? request.step : `${request.step} ${request.item}`;
  let held: { readonly output: unknown } | undefined;
  const context = stepContext({
    request,
    host,
    input,
    signal: box.signal,
    report: (progress: StepProgress) => reporter.report(progress),
    onReady: (output) => {
      held = { output };
    },
    parseOutput: (output) => parseOutput(step, label, output),
    tx,
  });
  const work = kind.steps[request.step] as Kind['steps'][string];
  const probe = kind.probes[step.probe as string];
  const output = await box.run(async () => {
    const found = isInDoubt && (await probe?.(request.args, callContext(request, host, input, box.signal)));
    if (found && found.happened) return found.output;
    const answer = await work(request.args, context);
    if (!step.children) return answer;
    const { of, many } = step.children;
    return world.children.start(context.tx, claim, of, many ? (answer as readonly unknown[]) : [answer]);
  });
  if (step.children) return undefined;
  if (!step.holds) return parseOutput(step, label, output);
  if (box.interruption === 'timed_out') throw new Error(`Holder "${label}" held longer than its time box`);
  // It ended as told, but nobody asked it to let go: what it held is lost, which the verdict says (`interruption`).
  if (box.interruption === 'stopped') throw new Error(`Holder "${label}" was stopped with its worker`);
  if (!held) throw new TypeError(`Holder "${label}" returned without having been ready`);
  return held.output;
}

function endingFor(attempt: Attempt, error: unknown): Ending {
  const { step, request, host, world, box } = attempt;
  return endingOf(error, {
    request,
    host,
    world,
    policy: step.retry,
    whenUnknown: isElsewhere(step.effect) ? 'unknown' : 'no',
    isRepeatable: step.effect !== 'blind',
    interruption: box.interruption,
    progress: attempt.reporter.close(),
  });
}

/** Tells the ledger how it ended; a ledger that is away leaves the lease, and the doubt, as they are. */
async function report(attempt: Attempt, ending: Ending): Promise<Verdict> {
  const { world, claim, step } = attempt;
  const doubtWhenUnreported = step.effect !== 'none';
  if (!ending.report) return ending.verdict(doubtWhenUnreported);
  try {
    const { doubt } = await world.ledger.fail(claim, ending.report);
    return ending.verdict(doubt);
  } catch (error) {
    tellUnreported(world, attempt.request, claim.attempt, error);
    return ending.verdict(doubtWhenUnreported);
  }
}
