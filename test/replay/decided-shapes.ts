/** The shapes of jobs that a person decides about (S8). */
import { corrected, goBack, resolve, retry, skip } from './answers.js';
import { atFirst, denied, no, onceEver, unheard } from './scripts.js';
import type { Shape } from './shape.js';
import { parkedInDoubt, parkedUndo } from './shapes.js';

/** A shape of a job that waits for a person before: who says `output`. */
export const decidedFirst = (output: unknown, shape: Shape): Shape => ({
  ...shape,
  whenParked: [resolve(output), ...(shape.whenParked ?? [])],
});

/** A person gives what `step` waits for. */
export const decided = (step: string, output: unknown): Shape => ({
  name: 'decided',
  what: `A person decides ${step}.`,
  ends: 'SUCCEEDED',
  whenParked: [resolve(output)],
});

/** What a person gives makes the saga's own code say no. */
export const decidedNo = (step: string, output: unknown): Shape => ({
  ...decided(step, output),
  name: 'decided-no',
  what: `A person decides ${step}, with a no; what was done is undone.`,
  ends: 'FAILED',
});

export const decidedAgainst = (step: string): Shape => ({
  name: 'decided-against',
  what: `A person decides against ${step}; what was done is undone.`,
  ends: 'FAILED',
  whenParked: [goBack],
});

/** What most jobs that wait for days look like when a new release comes. */
export const waiting = (step: string): Shape => ({
  name: 'waiting',
  what: `${step} waits for a person: open.`,
  ends: 'PARKED',
});

export const cancelledWaiting = (step: string): Shape => ({
  name: 'cancelled-waiting',
  what: `A cancel comes while ${step} waits for a person; what was done is undone.`,
  ends: 'CANCELLED',
  whenParked: [(control) => control.cancel()],
});

/** After `step`, which is done. */
export const asleep = (step: string): Shape => ({
  name: 'asleep',
  what: `The saga sleeps after ${step}: open.`,
  ends: 'OPEN',
  moment: { step, status: 'done' },
});

export const cancelledAsleep = (step: string): Shape => ({
  ...asleep(step),
  name: 'cancelled-asleep',
  what: `A cancel comes while the saga sleeps after ${step}; what was done is undone.`,
  ends: 'CANCELLED',
  whenThere: (control) => control.cancel(),
});

/** Of a pivot in doubt that nobody can find. */
export const pivotResolved = (pivot: string, probe: string, output: unknown): Shape => ({
  ...parkedInDoubt(pivot, probe),
  name: 'pivot-resolved',
  what: `The answer of ${pivot} is lost, and ${probe} cannot tell; a person says that it is done.`,
  ends: 'SUCCEEDED',
  whenParked: [resolve(output)],
});

export const pivotDisowned = (pivot: string, probe: string): Shape => ({
  name: 'pivot-disowned',
  what: `${pivot} gives no answer, and ${probe} cannot tell; a person says that it is not done, and to go back.`,
  ends: 'FAILED',
  scripts: () => ({
    before: { [pivot]: ({ attempt }) => (attempt > 1 ? no() : unheard()), [probe]: no },
  }),
  whenParked: [goBack],
});

export const pivotLookedAgain = (pivot: string, probe: string): Shape => ({
  ...parkedInDoubt(pivot, probe),
  name: 'pivot-looked-again',
  what: `The answer of ${pivot} is lost, and ${probe} cannot tell; a person has it ask again, and it is found done.`,
  ends: 'SUCCEEDED',
  scripts: () => ({
    before: { [pivot]: ({ attempt }) => void (attempt > 1 && no()), [probe]: onceEver(no) },
    after: { [pivot]: unheard },
  }),
  whenParked: [retry],
});

export const undoRetried = (step: string, undo: string): Shape => ({
  ...parkedUndo(step, undo),
  name: 'undo-retried',
  what: `${step} is rejected, and ${undo} once; a person has it tried again.`,
  ends: 'FAILED',
  scripts: () => ({ before: { [step]: no, [undo]: onceEver(no) } }),
  whenParked: [retry],
});

export const undoGivenUp = (step: string, undo: string): Shape => ({
  ...parkedUndo(step, undo),
  name: 'undo-given-up',
  what: `${step} is rejected, and so is ${undo}, which a person gives up; the rest is undone.`,
  ends: 'FAILED',
  whenParked: [skip],
});

/** Two members of a group are parked at the same time: one after the other is decided about. */
export const membersParked = (member: string, args: unknown): Shape => ({
  name: 'members-parked',
  what: `Two calls of ${member} are denied; a person has one tried again, and one with corrected arguments.`,
  ends: 'SUCCEEDED',
  scripts: () => ({
    before: { [member]: (call) => (call.attempt === 1 ? atFirst(denied)(call) : undefined) },
  }),
  whenParked: [retry, corrected(args)],
});

export const memberGivenUp = (member: string): Shape => ({
  name: 'member-given-up',
  what: `One call of ${member} is denied, and a person decides to go back; what was done is undone.`,
  ends: 'FAILED',
  scripts: () => ({ before: { [member]: ({ item }) => void (item === 1 && denied()) } }),
  whenParked: [goBack],
});

export const holderRetried = (holder: string): Shape => ({
  name: 'holder-retried',
  what: `${holder} is denied once; a person has it tried again.`,
  ends: 'SUCCEEDED',
  scripts: () => ({ before: { [holder]: onceEver(denied) } }),
  whenParked: [retry],
});

export const holderGivenUp = (holder: string): Shape => ({
  name: 'holder-given-up',
  what: `${holder} is denied, and a person decides to go back.`,
  ends: 'FAILED',
  scripts: () => ({ before: { [holder]: denied } }),
  whenParked: [goBack],
});
