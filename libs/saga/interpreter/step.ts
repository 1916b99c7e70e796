/** Drives one step from its registration until it is done, or has sealed the saga's fate. */
import { HOLD_LOST, type Failure } from '../failure.js';
import { itemOf, type PutOff } from '../protocol.js';
import { payloadProblem } from '../payload.js';
import type { Running } from '../runtime.js';
import { BlockLost } from './block.js';
import { attemptsAfter, attemptsLeftOf, pacedMs, requestFor, summaryOf } from './attempts.js';
import { carryOut, decidedAgainst } from './decided.js';
import { awaitDecision } from './decision.js';
import type { Entry, Member } from './journal.js';
import type { Unparked } from './parking.js';
import { settlePivot } from './pivot.js';
import type { SagaRun } from './saga-run.js';

/** A step as the saga's code calls it: registers it, in the order of the calls, and resolves with its output. */
export function callStep(run: SagaRun, name: string, args: unknown, member?: Member): Promise<unknown> {
  // Most calls find nothing parked, and must register at once: the order of calls is the order of undoing.
  if (run.parking.state) return run.parking.cleared().then(() => callStep(run, name, args, member));
  try {
    run.check(run.block);
    if (run.recall.isOpen) return recalled(run, name, args, member);
    run.handover.check();
    const entry = register(run, name, args, member);
    return run.flights.track(entry, entry.definition.waits ? awaitDecision(run, entry) : drive(run, entry));
  } catch (error) {
    return handled(rejected(error));
  }
}

async function rejected(error: unknown): Promise<never> {
  throw error;
}

/** A call the author does not await fails the saga all the same; it must not fail the process too. */
export function handled<R>(called: Promise<R>): Promise<R> {
  called.catch(() => 'known to the fate');
  return called;
}

/** A step of a run before answers as it did then; one that is new comes when all those have. */
function recalled(run: SagaRun, name: string, args: unknown, member?: Member): Promise<unknown> {
  const { entry, output } = run.recall.claim(name, member?.item) ?? {};
  if (!entry) return handled(run.recall.closed(name).then(() => callStep(run, name, args, member)));
  entry.args = args;
  switch (entry.shown.status) {
    case 'done':
      return Promise.resolve(output);
    case 'skipped':
    case 'leftover':
      return Promise.resolve(entry.definition.fallback?.output as unknown);
    case 'waiting':
      return run.flights.track(entry, drive(run, entry));
    default:
      throw run.misuse(`step "${entry.label}" was handed over as ${entry.shown.status}`);
  }
}

/** Checks the call against S7, S11 and S14 and writes it into the journal. */
export function register(run: SagaRun, name: string, args: unknown, member?: Member): Entry {
  const step = run.stepOf(name);
  const item = member?.item;
  const label = item === undefined ? name : `${name} ${item}`;
  const tooLarge = payloadProblem(`the argument of step "${label}"`, args);
  if (tooLarge) throw run.misuse(tooLarge);
  if (run.fate.committed && (step.kind === 'compensable' || step.kind === 'pivot')) {
    throw run.misuse(`${step.kind} step "${label}" comes after the commit point; it only goes forward there`);
  }
  if (step.kind === 'pivot' && run.flights.areAny) {
    throw run.misuse(`pivot "${label}" is called while other steps are running; await them first`);
  }
  // Its failure would send the saga back under a pivot that may succeed.
  if (run.fate.isPivotOpen)
    throw run.misuse(`step "${label}" is called while the pivot is running; await it first`);
  const where = { generation: run.block?.generation ?? 0, block: run.block };
  const entry = run.journal.register(name, member, step, where);
  if (!entry) throw run.misuse(`step "${label}" is called twice; for repetition there is forEach`);
  entry.args = args;
  if (step.kind === 'retriable') run.fate.commit();
  return entry;
}

async function drive(run: SagaRun, entry: Entry): Promise<unknown> {
  const { isPivot } = entry;
  let attemptsLeft = entry.putOff?.attemptsLeft ?? entry.definition.retry.attempts;
  for (;;) {
    const { putOff } = entry;
    if (putOff) {
      const isWanted = () => !run.fate.isLatched && !run.isOver(entry.block);
      if (isWanted()) await waitOut(run, entry, putOff);
      entry.putOff = undefined;
      // Of a pivot that may have happened already, only the outcome is wanted still, not another attempt.
      if (putOff.doubt && !isWanted()) return await failed(run, entry, { doubt: true, failure: CALLED_OFF });
      giveUpIfOver(run, entry);
    }
    if (isPivot) run.fate.openPivot();
    run.show(entry, 'running');
    const before = entry.attempts;
    const { wakes } = run;
    const running = start(run, entry, attemptsLeft);
    const forget = run.flights.interruptible(entry, 'attempt', () => running.cancel());
    const settled = await running.settled;
    forget();
    entry.attempts = attemptsAfter(settled, before, attemptsLeft);
    switch (settled.kind) {
      case 'done':
        return done(run, entry, settled.output);
      case 'deferred': {
        attemptsLeft = attemptsLeftOf(attemptsLeft, entry.attempts - before);
        run.show(entry, 'waiting');
        const doubt = isPivot && settled.doubt;
        if (isPivot && !doubt) run.fate.closePivot();
        const pauseMs = run.wakes > wakes ? 0 : pacedMs(entry, settled.deferMs);
        entry.putOff = { until: run.runtime.now() + pauseMs, attemptsLeft, doubt };
        break;
      }
      case 'cancelled': {
        // Where nobody here asked for it, somebody cancelled the attempt alone: lost like any other.
        const isOurs = run.fate.isLatched || run.isOver(entry.block);
        return await failed(run, entry, { ...settled, failure: isOurs ? CALLED_OFF : CANCELLED_ALONE });
      }
      case 'failed':
        return await failed(run, entry, settled);
    }
  }
}

async function waitOut(run: SagaRun, entry: Entry, { until }: PutOff): Promise<void> {
  run.handover.check();
  await run.nap(entry, 'nap', until - run.runtime.now());
  run.handover.check();
}

const CANCELLED_ALONE: Failure = {
  class: 'transient',
  certainty: 'unknown',
  code: 'attempt_cancelled',
  message: 'The attempt was cancelled, and not by its saga.',
};

const CALLED_OFF: Failure = {
  class: 'transient',
  certainty: 'no',
  code: 'called_off',
  message: 'It was called off before another attempt began.',
};

function start(run: SagaRun, entry: Entry, attemptsMax: number): Running {
  return run.runtime.start({
    step: entry.definition,
    activity: run.activityOf(entry.name),
    summary: summaryOf(entry),
    request: { ...requestFor(run, entry, entry.attempts, attemptsMax), role: 'step', args: entry.args },
  });
}

function done(run: SagaRun, entry: Entry, output: unknown): unknown {
  if (entry.definition.children) entry.output = output;
  if (entry.isPivot) run.fate.commit();
  run.show(entry, 'done');
  return output;
}

/** No attempt is left, or none would help. Returns the output if the step goes on well after all. */
async function failed(
  run: SagaRun,
  entry: Entry,
  settled: { failure: Failure; doubt: boolean },
): Promise<unknown> {
  const failure: Failure = { ...settled.failure, step: entry.name, ...itemOf(entry) };
  const { isPivot } = entry;
  let { doubt } = settled;
  if (isPivot) {
    if (doubt) {
      const settlement = await settlePivot(run, entry);
      if (settlement.verdict === 'happened') return done(run, entry, settlement.output);
      doubt = settlement.verdict === 'unknown';
      entry.fenced = settlement.verdict === 'not_happened';
    }
    if (!doubt) run.fate.closePivot();
  }
  // Any other step in doubt is undone, which is safe where there is nothing to undo (S2, S6).
  const isOpen = isPivot && doubt;
  if (!isOpen) giveUpIfOver(run, entry);

  // Past the commit point nothing fails any more (S7); bugs and doubts nobody can settle are nobody's business answer.
  const isUnsettled = isOpen || (doubt && entry.definition.effect === 'blind');
  if (run.fate.committed || failure.class === 'bug' || isUnsettled) {
    return parked(run, entry, { failure, doubt });
  }

  run.show(entry, 'failed');
  if (failure.code === HOLD_LOST && entry.block) {
    // Found out before the holder's own end was noticed.
    run.loseBlock(entry.block, failure);
  } else {
    run.fate.fail(failure);
  }
  giveUpIfOver(run, entry);
  throw run.misuse(`the failure of step "${entry.label}" was lost`);
}

/** Waits for a decision, and goes on as it says. */
async function parked(
  run: SagaRun,
  entry: Entry,
  { failure, doubt }: { failure: Failure; doubt: boolean },
): Promise<unknown> {
  const { isPivot } = entry;
  const isOpen = isPivot && doubt;
  run.show(entry, 'parked');
  const reason = { undo: false, doubt, committed: run.fate.committed, failure };
  const wish = await run.parking.park(entry, reason, () => !isOpen && run.isOver(entry.block));
  if (!isOpen) {
    if (isAgainstLost(run, entry, wish)) run.fate.fail(decidedAgainst(entry));
    giveUpIfOver(run, entry);
  }
  if (typeof wish === 'string') throw run.misuse(`the park of step "${entry.label}" ended without a reason`);
  // What is decided of a pivot may be that it happened: until that is known, a wish to end waits.
  if (isPivot) run.fate.openPivot();
  const next = await carryOut(run, entry, wish, doubt);
  if (isPivot && next.kind !== 'done' && next.kind !== 'refused' && !(isOpen && next.kind === 'again')) {
    run.fate.closePivot();
  }
  switch (next.kind) {
    case 'done':
      return done(run, entry, next.output);
    case 'skipped':
      if (entry.shown.status !== 'leftover') {
        run.show(entry, 'skipped');
        run.skipped.push({ step: entry.name, ...itemOf(entry) });
      }
      run.check(entry.block);
      return next.output;
    case 'anew':
      run.check(entry.block);
      return drive(run, run.renewed(entry, next.args));
    case 'again':
      // Of a pivot in doubt, to try again is to look again: nothing may call before the doubt is settled.
      if (!isOpen) giveUpIfOver(run, entry);
      return isOpen ? failed(run, entry, { failure, doubt }) : drive(run, entry);
    case 'contradicted':
      entry.fenced = true;
      giveUpIfOver(run, entry);
      return parked(run, entry, { failure, doubt: false });
    case 'refused':
      if (isPivot && !isOpen) run.fate.closePivot();
      return failed(run, entry, { failure, doubt });
    case 'back':
      run.fate.fail(decidedAgainst(entry));
      giveUpIfOver(run, entry);
      throw run.misuse(`the decision against step "${entry.label}" was lost`);
  }
}

/** A person has the saga go back whose block would start over. */
function isAgainstLost(run: SagaRun, entry: Entry, wish: Unparked): boolean {
  if (typeof wish === 'string' || wish.decision !== 'compensate') return false;
  const lost = run.fate.committed ? undefined : entry.block?.lostBlock();
  return lost !== undefined && (lost.wasParked || run.keepsParks());
}

/** Throws {@link Doomed} or {@link BlockLost} when the saga, or the step's block, is over. */
function giveUpIfOver(run: SagaRun, entry: Entry): void {
  if (!run.isOver(entry.block)) return;
  run.show(entry, 'failed');
  run.check(entry.block);
  throw new BlockLost(entry.block!);
}
