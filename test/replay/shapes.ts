/** The shapes a history can have, and what makes them. A new construct of the engine wants one here. */
import { Deferred, HoldLost, Transient } from '../../libs/saga/failure.js';
import { retry } from './answers.js';
import { untilAborted, type Script } from './faked-kind.js';
import {
  atFirst,
  cancelHeard,
  cancelInBackoff,
  denied,
  down,
  failsOnce,
  hangs,
  no,
  noAgain,
  unheard,
} from './scripts.js';
import type { Shape } from './shape.js';

export const straight: Shape = {
  name: 'straight',
  what: 'Every step goes well at once.',
  ends: 'SUCCEEDED',
};

/** `step` succeeds at its second attempt, which the server makes. */
export const retried = (step: string): Shape => ({
  name: 'retried',
  what: `${step} fails once and is retried.`,
  ends: 'SUCCEEDED',
  scripts: () => ({ before: { [step]: failsOnce } }),
});

/** `step` is put off twice: the saga sleeps, and schedules it again. */
export const deferred = (step: string): Shape => ({
  name: 'deferred',
  what: `${step} is put off twice before it runs.`,
  ends: 'SUCCEEDED',
  scripts: () => {
    let times = 0;
    return {
      before: {
        [step]: () => {
          if (times++ < 2) throw new Deferred(20, 'Not now');
        },
      },
    };
  },
});

/** Of one call, whichever member makes it: two attempts are used up when it is put off. */
const putOffLate = (): Script => {
  let calls = 0;
  return () => {
    calls += 1;
    if (calls < 3) down();
    if (calls === 3) throw new Deferred(20, 'Not now');
  };
};

/** `step` has used up attempts when it is put off. */
export const deferredLate = (step: string): Shape => ({
  name: 'deferred-late',
  what: `${step} fails twice and is put off before it runs.`,
  ends: 'SUCCEEDED',
  scripts: () => ({ before: { [step]: putOffLate() } }),
});

/** `undo` has used up attempts when it is put off. */
export const undoDeferredLate = (step: string, undo: string): Shape => ({
  name: 'undo-deferred-late',
  what: `${step} is rejected; ${undo} fails twice and is put off before it runs.`,
  ends: 'FAILED',
  scripts: () => ({ before: { [step]: no, [undo]: putOffLate() } }),
});

/** `step` is rejected: what was done is undone. */
export const compensated = (step: string): Shape => ({
  name: 'compensated',
  what: `${step} is rejected; what was done is undone.`,
  ends: 'FAILED',
  scripts: () => ({ before: { [step]: no } }),
});

/** `step` waits for its children until they wake it. */
export const woken = (step: string): Shape => ({
  name: 'woken',
  what: `${step} is put off while its children are open, and woken by their end.`,
  ends: 'SUCCEEDED',
  hasOpenChildren: true,
  moment: { step, status: 'waiting' },
  whenThere: (control) => control.endChildren(),
});

/** Cancelled while `step` waits for its children. */
export const cancelledWithChildren = (step: string): Shape => ({
  name: 'cancelled-with-children',
  what: `A cancel comes while ${step} waits for its children: they are cancelled, too.`,
  ends: 'CANCELLED',
  hasOpenChildren: true,
  moment: { step, status: 'waiting' },
  whenThere: (control) => control.cancel(),
});

/** Cancelled while `step` runs. */
export const cancelled = (step: string): Shape => ({
  name: 'cancelled',
  what: `A cancel comes while ${step} runs; what was done is undone.`,
  ends: 'CANCELLED',
  scripts: (control) => ({
    before: {
      [step]: async (call) => {
        if (!call.item) await control.cancel();
        await hangs(call);
      },
    },
  }),
});

/** Cancelled by the engine's own means while `step` runs. */
export const cancelledNatively = (step: string): Shape => ({
  ...cancelled(step),
  name: 'cancelled-natively',
  what: `A person cancels the workflow in the Temporal Web UI while ${step} runs.`,
  scripts: (control) =>
    cancelled(step).scripts?.({ ...control, cancel: () => control.cancelNatively() }) ?? {},
});

/** A cancel that comes in the pivot waits for its outcome, which is that it is done. */
export const cancelTooLate = (pivot: string): Shape => ({
  name: 'cancel-too-late',
  what: `A cancel comes while ${pivot} runs, which succeeds: it is too late.`,
  ends: 'SUCCEEDED',
  scripts: (control) => ({ before: { [pivot]: () => cancelHeard(control) } }),
});

/** A cancel that comes in the pivot is honoured when that is rejected. */
export const cancelLatched = (pivot: string): Shape => ({
  name: 'cancel-latched',
  what: `A cancel comes while ${pivot} runs, which is rejected: it is honoured.`,
  ends: 'CANCELLED',
  scripts: (control) => ({ before: { [pivot]: () => cancelHeard(control).then(no) } }),
});

/** A cancel that comes between the attempts of the pivot calls it off. */
export const calledOff = (pivot: string): Shape => ({
  name: 'pivot-called-off',
  what: `A cancel comes between the attempts of ${pivot}, which did nothing; what was done is undone.`,
  ends: 'CANCELLED',
  scripts: (control) => ({ before: { [pivot]: () => cancelInBackoff(control) } }),
});

/** Far enough for the steps before, on a busy machine. */
const DEADLINE_MS = 5_000;

/** `step` is put off beyond the deadline. */
export const deadline = (step: string): Shape => ({
  name: 'deadline',
  what: `The deadline passes while ${step} is put off; what was done is undone.`,
  ends: 'FAILED',
  deadlineMs: DEADLINE_MS,
  scripts: () => ({
    before: {
      [step]: () => {
        throw new Deferred(3_600_000, 'The circuit stays open');
      },
    },
  }),
});

/** The deadline passes when `step`, past the commit point, is parked: nothing but an alert. */
export const overdue = (step: string): Shape => ({
  ...parked(step),
  name: 'overdue',
  what: `The deadline passes past the commit point, where ${step} is put off until it is rejected and parks.`,
  deadlineMs: DEADLINE_MS,
  scripts: () => {
    let isPutOff = false;
    return {
      before: {
        [step]: () => {
          if (isPutOff) no();
          isPutOff = true;
          throw new Deferred(DEADLINE_MS, 'Not now');
        },
      },
    };
  },
});

/** The pivot's answer is lost, and the next is a no: looked for, it is found. */
export const settledDone = (pivot: string): Shape => ({
  name: 'pivot-settled-done',
  what: `The answer of ${pivot} is lost, the next is a no; it is looked for, and found done.`,
  ends: 'SUCCEEDED',
  scripts: () => ({ before: { [pivot]: noAgain }, after: { [pivot]: unheard } }),
});

/** Looking for the pivot has used up attempts when it is put off. */
export const settleDeferredLate = (pivot: string, probe: string): Shape => ({
  name: 'pivot-settle-deferred-late',
  what: `The answer of ${pivot} is lost, the next is a no; ${probe} fails twice and is put off before it finds it done.`,
  ends: 'SUCCEEDED',
  scripts: () => ({ before: { [pivot]: noAgain, [probe]: putOffLate() }, after: { [pivot]: unheard } }),
});

/** The pivot is in doubt: looked for, it is not there. */
export const settledNotDone = (pivot: string): Shape => ({
  name: 'pivot-settled-not-done',
  what: `${pivot} gives no answer, then a no; it is looked for, and found not done.`,
  ends: 'FAILED',
  scripts: () => ({ before: { [pivot]: ({ attempt }) => (attempt > 1 ? no() : unheard()) } }),
});

/** Nobody can tell whether the pivot happened. */
export const parkedInDoubt = (pivot: string, probe?: string): Shape => ({
  name: 'parked-in-doubt',
  what: `The answer of ${pivot} is lost, and ${probe ?? 'the ledger'} cannot tell: parked, open.`,
  ends: 'PARKED',
  scripts: () => ({
    before: { [pivot]: noAgain, ...(probe === undefined ? {} : { [probe]: no }) },
    after: { [pivot]: unheard },
  }),
});

/** `step` lacks a right: parked. Past the commit point a rejection does the same. */
export const parked = (step: string): Shape => ({
  name: 'parked',
  what: `${step} is denied: parked, open.`,
  ends: 'PARKED',
  scripts: () => ({ before: { [step]: denied } }),
});

/** The undo is rejected when `step` was. */
export const parkedUndo = (step: string, undo: string): Shape => ({
  name: 'parked-undo',
  what: `${step} is rejected, and so is ${undo}: parked in the undo, open.`,
  ends: 'PARKED',
  scripts: () => ({ before: { [step]: no, [undo]: no } }),
});

/** Parked before the commit point, a cancel still compensates. */
export const parkedThenCancelled = (step: string): Shape => ({
  ...parked(step),
  name: 'parked-then-cancelled',
  what: `${step} is denied and parks; a cancel ends the park, and what was done is undone.`,
  ends: 'CANCELLED',
  whenParked: [(control) => control.cancel()],
});

/** Recorded while `step` runs: what most open jobs look like when a new release comes. */
export const underWay = (step: string): Shape => ({
  name: 'under-way',
  what: `${step} is running: open.`,
  ends: 'OPEN',
  moment: { step, status: 'running' },
  scripts: () => ({ before: { [step]: hangs } }),
});

const lost = (): never => {
  throw new Transient('connection_lost', 'What was held is gone', { certainty: 'no' });
};

/** The holder is lost once, while `member` runs in the first generation. */
export const startedOver = (holder: string, member: string): Shape => ({
  name: 'started-over',
  what: `${holder} is lost while ${member} runs; the block is undone and starts over.`,
  ends: 'SUCCEEDED',
  scripts: () => {
    const running = Promise.withResolvers<void>();
    return {
      before: {
        [member]: async (call) => {
          if (call.generation > 0) return;
          running.resolve();
          await hangs(call);
        },
      },
      after: {
        [holder]: async (call) => (call.generation > 0 ? untilAborted(call) : running.promise.then(lost)),
      },
    };
  },
});

/** `member` finds out before the engine that what was held is gone. */
export const startedOverByStep = (member: string): Shape => ({
  name: 'started-over-by-step',
  what: `${member} finds what was held gone; the block is undone and starts over.`,
  ends: 'SUCCEEDED',
  scripts: () => ({
    before: {
      [member]: async (call) => {
        if (call.generation > 0) return;
        if (!call.item) throw new HoldLost('Nobody knows what was held');
        await hangs(call);
      },
    },
  }),
});

/** `member` is denied and parks; the holder is lost meanwhile, and a person has the member tried again. */
export const lostWhileParked = (holder: string, member: string): Shape => {
  const isParked = Promise.withResolvers<void>();
  return {
    name: 'lost-while-parked',
    what: `${member} is denied and parks; ${holder} is lost meanwhile, and a person has the block start over.`,
    ends: 'SUCCEEDED',
    scripts: () => ({
      before: { [member]: (call) => (call.item ? undefined : atFirst(denied)(call)) },
      after: {
        [holder]: async (call) => (call.generation > 0 ? untilAborted(call) : isParked.promise.then(lost)),
      },
    }),
    whenParked: [
      async (control, park) => {
        isParked.resolve();
        await control.heldLost();
        await retry(control, park);
      },
    ],
  };
};

/** The holder is lost in every generation. */
export const givenUp = (holder: string, member: string): Shape => ({
  name: 'given-up',
  what: `${holder} is lost every time, and given up.`,
  ends: 'FAILED',
  scripts: () => {
    const running = new Map<number, PromiseWithResolvers<void>>();
    const ofGeneration = (generation: number): PromiseWithResolvers<void> => {
      const there = running.get(generation) ?? Promise.withResolvers<void>();
      running.set(generation, there);
      return there;
    };
    return {
      before: {
        [member]: async (call) => {
          ofGeneration(call.generation).resolve();
          await hangs(call);
        },
      },
      after: { [holder]: async ({ generation }) => ofGeneration(generation).promise.then(lost) },
    };
  },
});

/** Another number of members than the kind's example has. */
export const counted = (name: string, what: string, input: object): Shape => ({
  name,
  what,
  ends: 'SUCCEEDED',
  input,
});

/** The job goes on in new runs; its first one ends with that. */
export const toBeContinued: Shape = {
  ...straight,
  name: 'to-be-continued',
  what: 'The history grows long, and the job goes on in a new run.',
  run: 'first',
};

/** The job goes on in new runs; its last one begins by reading back what those before did. */
export const continued: Shape = {
  ...straight,
  name: 'continued',
  what: 'The last of several runs: it reads back what those before did, and goes on from there.',
};

/** The job goes on in new runs while it goes back. */
export const continuedBack = (step: string): Shape => ({
  ...compensated(step),
  name: 'continued-back',
  what: `${step} is rejected, and the job goes on in new runs while it undoes what was done.`,
});
