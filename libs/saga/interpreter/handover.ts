/**
 * Going on in a new run: a history has an end, at which the server would end the saga without undoing anything. Long
 * before it, the saga starts nothing more, waits until nothing is in the air, and hands over what it knows.
 */
import { itemOf, type CarriedStep, type Resume, type SagaStart } from '../protocol.js';
import type { Entry } from './journal.js';
import type { SagaRun } from './saga-run.js';

/** Thrown to the saga's own code, whose next run executes it again: what it began is over, what comes is for then. */
export class HandedOver extends Error {
  constructor() {
    super('The saga goes on in a new run');
    this.name = 'HandedOver';
  }
}

export class Handover {
  private isBegun = false;

  constructor(private readonly run: SagaRun) {}

  get isUnderWay(): boolean {
    return this.isBegun;
  }

  /**
   * Asked wherever something is about to begin; throws {@link HandedOver} when it is for the next run. Not while a
   * block is open: what a holder holds is not handed over.
   */
  check(): void {
    const { block, flights, runtime } = this.run;
    if (!this.isBegun) {
      if (block || !runtime.isHistoryLong()) return;
      this.isBegun = true;
      flights.interruptAll(['sleep', 'nap']);
    }
    throw new HandedOver();
  }
}

/** What the next run starts with. Nothing may be in the air. */
export function nextStart(run: SagaRun): SagaStart {
  const { start, fate, journal, skipped, leftovers, message } = run;
  const resume: Resume = {
    fate: fate.asData,
    last: { seq: journal.last, generation: run.generation, park: run.parking.last },
    steps: journal.entries.filter(({ isRecorded }) => !isRecorded).map(carriedOf),
    groups: groupsOf(journal.entries),
    forgotten: journal.forgotten,
    losses: Object.fromEntries(run.losses),
    sleeps: run.sleeps,
    changes: Object.fromEntries(run.changes),
    skipped,
    leftovers,
    ...(message === undefined ? {} : { message }),
  };
  return { ...start, resume };
}

function carriedOf(entry: Entry): CarriedStep {
  const { seq, name, of, generation, attempts, undoAttempts, deferrals, fenced } = entry;
  const { output, putOff, undoPutOff } = entry;
  return {
    ...{ step: name, ...itemOf(entry), ...(of === undefined ? {} : { of }), generation, seq },
    ...{ status: entry.shown.status, attempts, undoAttempts, deferrals, fenced },
    ...(output === undefined ? {} : { output }),
    ...(putOff ? { putOff } : {}),
    ...(undoPutOff ? { undoPutOff } : {}),
  };
}

function groupsOf(entries: readonly Entry[]): Record<string, number> {
  const sizes: Record<string, number> = {};
  for (const { name, of } of entries) if (of !== undefined) sizes[name] = of;
  return sizes;
}
