/** Parking, in its simplest form (S8): the saga waits where it is, its context stored, until it may go on. */
import type { Failure } from '../failure.js';
import { itemOf, type DeadLetter, type Decision } from '../protocol.js';
import type { Runtime } from '../runtime.js';
import type { ParkState } from '../state.js';
import type { Flights } from './flights.js';
import type { Entry } from './journal.js';

/** What ends a park: an operator's `retry`, or `moot`, when the saga ends (or its block starts over) meanwhile. */
export type Unparked = 'retry' | 'moot';

export interface ParkReason {
  readonly undo: boolean;
  readonly doubt: boolean;
  readonly committed: boolean;
  readonly failure: Failure;
}

interface Park {
  readonly state: ParkState;
  readonly end: (how: Unparked) => void;
  readonly closed: Promise<void>;
}

export class Parking {
  private last = 0;
  private present: Park | undefined;

  constructor(
    private readonly runtime: Runtime,
    private readonly flights: Flights,
    private readonly changed: () => void,
  ) {}

  get state(): ParkState | undefined {
    return this.present?.state;
  }

  /** Resolves when nothing is parked: what would start meanwhile waits. */
  async cleared(): Promise<void> {
    while (this.present) await this.present.closed;
  }

  /** Parks, one at a time; `isMoot` is asked when its turn comes. */
  async park(entry: Entry, reason: ParkReason, isMoot: () => boolean): Promise<Unparked> {
    // Not through `cleared`: its answer comes a turn later, when another may have parked.
    while (this.present) await this.present.closed;
    if (isMoot()) return 'moot';
    const { promise: ended, resolve: end } = Promise.withResolvers<Unparked>();
    const { promise: closed, resolve: close } = Promise.withResolvers<void>();
    const number = ++this.last;
    const state = { number, step: entry.name, ...itemOf(entry), undo: reason.undo, doubt: reason.doubt };
    this.present = { state, end, closed };
    this.changed();
    // Parked before the commit point without doubt about the pivot, cancel and deadline compensate; else only a decision goes on.
    const isPivotInDoubt = reason.doubt && entry.definition.kind === 'pivot';
    const isShielded = reason.undo || reason.committed || isPivotInDoubt;
    const waiting = isShielded ? ended : this.flights.interruptible(entry, 'wait', ended, () => end('moot'));
    const possible = possibleDecisions(entry, reason);
    await this.runtime.park({ ...state, generation: entry.generation, possible, failure: reason.failure });
    const how = await waiting;
    this.present = undefined;
    close();
    this.changed();
    return how;
  }

  /** The seam for operators' decisions: ends the park of this number. False when it is not the present one. */
  decide(number: DeadLetter['number'], decision: 'retry'): boolean {
    if (this.present?.state.number !== number) return false;
    this.present.end(decision);
    return true;
  }
}

/** Which decisions S8 allows here. */
export function possibleDecisions(entry: Entry, reason: Omit<ParkReason, 'failure'>): Decision[] {
  if (reason.undo) return ['retry', 'skip'];
  return [
    'retry',
    ...(entry.definition.kind === 'pivot' ? [] : (['skip'] as const)),
    ...(reason.committed ? [] : (['compensate'] as const)),
    'resolve',
  ];
}
