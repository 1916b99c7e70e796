/** Parking (S8): the saga waits where it is, its context stored, until a person decides or it may go on anyway. */
import type { Failure } from '../failure.js';
import { itemOf, type DeadLetter, type Decision, type DecisionWish } from '../protocol.js';
import type { Runtime } from '../runtime.js';
import type { ParkState } from '../state.js';
import type { Fate } from './fate.js';
import type { Block } from './block.js';
import type { Flights, Place } from './flights.js';
import type { Entry } from './journal.js';

/** What ends a park: a decision; `moot`, when the saga ends (or its block starts over) meanwhile; the end of its time. */
export type Unparked = DecisionWish | 'moot' | 'elapsed';

export interface ParkReason {
  readonly undo: boolean;
  readonly doubt: boolean;
  readonly committed: boolean;
  /** Absent where the saga waits for a decision by design. */
  readonly failure?: Failure;
  /** Milliseconds since 1970: the park ends by itself. */
  readonly until?: number;
}

interface Park {
  readonly letter: DeadLetter;
  state: ParkState;
  /** Where it stays although what a block around it held is lost; undefined where that ends it, or does not touch it. */
  readonly place: Place | undefined;
  readonly end: (how: Unparked) => void;
  readonly closed: Promise<void>;
  isDecided: boolean;
}

export class Parking {
  /** The number of the last park. */
  last = 0;
  private present: Park | undefined;

  constructor(
    private readonly runtime: Runtime,
    private readonly flights: Flights,
    private readonly fate: () => Fate,
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
    const { letter, state } = letterOf(++this.last, entry, reason);
    // Parked before the commit point without doubt about the pivot, cancel and deadline compensate; else only a decision goes on.
    const isPivotInDoubt = reason.doubt && entry.definition.kind === 'pivot';
    const isShielded = reason.undo || reason.committed || isPivotInDoubt;
    // Of a question nothing has been tried that a person would look into: started over, the block asks it anew.
    const isQuestion = entry.definition.waits !== undefined;
    const place = isShielded || isQuestion ? undefined : entry;
    this.present = { letter, state, place, end, closed, isDecided: false };
    this.changed();
    const disarm = this.armEnd(reason.until, end);
    const kind = isQuestion ? 'question' : 'park';
    const forget = isShielded ? undefined : this.flights.interruptible(entry, kind, () => end('moot'));
    await this.runtime.park(letter);
    const how = await ended;
    forget?.();
    disarm();
    const phase = this.fate().cause ? 'compensating' : 'forward';
    const decisionId = typeof how === 'object' ? { decisionId: how.id } : {};
    await this.runtime.unpark({ number: letter.number, phase, ...decisionId });
    this.present = undefined;
    close();
    this.changed();
    return how;
  }

  /** Whether something is parked in the block, undecided, that outlives the loss of what the block holds. */
  isWithin(block: Block): boolean {
    return this.present?.isDecided === false && this.present.place?.isWithin(block) === true;
  }

  /** What is parked stays so, and less can be decided of it; answers that for people. */
  loseHeld(): string {
    const present = this.present!;
    present.state = { ...present.state, heldLost: true };
    return `What was held around ${present.letter.step} is lost while a person is waited for: a retry starts the block over`;
  }

  /** Why this decision is not possible; undefined when it is. */
  refusalOf({ park, decision, corrects }: DecisionWish): string | undefined {
    const { present } = this;
    if (present?.letter.number !== park) {
      const now = present ? `park ${present.letter.number} is open` : 'nothing is parked';
      return `Park ${park} is not open; ${now}.`;
    }
    if (present.isDecided) return `Park ${park} is decided already.`;
    const { possible, correctable } = decidableOf(present.letter, present.state);
    if (present.state.heldLost && (corrects || !possible.includes(decision))) return HELD_LOST;
    if (!possible.includes(decision)) return `${decision} is not possible here; ${possible.join(', ')} are.`;
    if (corrects && decision !== 'retry') return 'Only a retry takes corrected arguments.';
    if (corrects && !correctable) {
      return 'Nobody can tell whether it happened under the arguments it had, so they cannot be corrected.';
    }
    return undefined;
  }

  /** Ends the park of the decision's number, if that is possible. */
  decide(wish: DecisionWish): void {
    const { present } = this;
    if (!present || this.refusalOf(wish) !== undefined) return;
    present.isDecided = true;
    present.end(wish);
  }

  private armEnd(until: number | undefined, end: (how: Unparked) => void): () => void {
    if (until === undefined) return () => undefined;
    const timer = this.runtime.timer(Math.max(0, until - this.runtime.now()));
    let isArmed = true;
    void timer.elapsed.then(() => isArmed && end('elapsed'));
    return () => {
      isArmed = false;
      timer.cancel();
    };
  }
}

function letterOf(
  number: number,
  entry: Entry,
  reason: ParkReason,
): { letter: DeadLetter; state: ParkState } {
  const { undo, doubt, failure, until } = reason;
  const state: ParkState = {
    number,
    step: entry.name,
    ...itemOf(entry),
    undo,
    doubt,
    ...(until === undefined ? {} : { until: new Date(until).toISOString() }),
  };
  const letter: DeadLetter = {
    ...state,
    generation: entry.generation,
    possible: possibleDecisions(entry, reason),
    correctable: isCorrectable(entry, reason),
    ...(entry.args === undefined ? {} : { args: entry.args }),
    ...(failure ? { failure } : {}),
  };
  return { letter, state };
}

const HELD_LOST =
  'What was held open around this step is lost meanwhile, and the step alone cannot go on: retry, which has the ' +
  'block start over and ask the step anew, or compensate.';
const OF_A_BLOCK: readonly Decision[] = ['retry', 'compensate'];

/** What of the letter's decisions is possible still: without what was held, the block starts over or the saga goes back. */
export function decidableOf<L extends Pick<DeadLetter, 'possible' | 'correctable'>>(
  letter: L,
  { heldLost }: ParkState,
): L {
  if (!heldLost) return letter;
  return {
    ...letter,
    possible: letter.possible.filter((decision) => OF_A_BLOCK.includes(decision)),
    correctable: false,
  };
}

/** Which decisions S8 allows here. */
export function possibleDecisions(entry: Entry, reason: ParkReason): Decision[] {
  const { kind, holds, fallback } = entry.definition;
  if (reason.undo) return ['retry', 'skip'];
  const back = reason.committed ? [] : (['compensate'] as const);
  if (kind === 'decision') return ['resolve', ...back];
  if (holds) return ['retry', ...back];
  return ['retry', ...(fallback ? (['skip'] as const) : []), ...back, 'resolve'];
}

/** A new generation needs the old one to be certainly not done, or to be undone first. */
function isCorrectable(entry: Entry, { undo, doubt }: ParkReason): boolean {
  const { kind, holds } = entry.definition;
  // Without arguments there is nothing to correct.
  if (undo || holds || kind === 'decision' || entry.args === undefined) return false;
  return !doubt || (kind === 'compensable' && entry.definition.effect !== 'blind');
}
