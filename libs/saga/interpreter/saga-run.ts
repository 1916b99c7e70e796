/** One run of a saga: its definition, its job, the runtime, and what the parts of the interpreter share. */
import { activityNameOf, type AnyJobDefinition, type AnyStep } from '../define.js';
import type { Failure } from '../failure.js';
import type { JobRef } from '../implement.js';
import type { CancelWish, Remainder, Resume, SagaStart } from '../protocol.js';
import type { Runtime } from '../runtime.js';
import type { SagaState } from '../state.js';
import { Block, BlockLost } from './block.js';
import { Fate } from './fate.js';
import { Flights, type Place, type WaitKind } from './flights.js';
import { Handover, HandedOver } from './handover.js';
import { Journal, type Entry } from './journal.js';
import { SagaMisuse } from './misuse.error.js';
import { Parking } from './parking.js';
import { Recall } from './recall.js';

const REASON_LENGTH_MAX = 500;
/** What is over at once when a saga is to end. */
const WAITS = ['park', 'question', 'sleep', 'nap'] as const;
const RESOLVE_LOOKS_AGAIN = 'saga: a resolve looks for children that were started';
const PARK_OUTLIVES_LOSS = 'saga: a park outlives the loss of what its block held';

export class SagaRun {
  readonly job: JobRef;
  readonly journal = new Journal();
  readonly flights = new Flights();
  readonly parking: Parking;
  readonly fate: Fate;
  readonly handover = new Handover(this);
  readonly recall = new Recall(this);
  /** Ends of released holders, awaited before the terminal record only. */
  readonly loose = new Set<Promise<unknown>>();
  /** Steps an operator left out. */
  readonly skipped: Remainder[] = [];
  /** Effects an operator left as they are. */
  readonly leftovers: Remainder[] = [];
  /** How often each holder was lost whose block was undone to start over. */
  readonly losses = new Map<string, number>();
  /** When the sleeps begun are over, in their order. */
  readonly sleeps: number[] = [];
  /** What `patched` answered. */
  readonly changes = new Map<string, boolean>();
  /** The innermost open block: everything started while it is open belongs to it. */
  block: Block | undefined;
  ended = false;
  /** Wake-ups so far: one that comes while a step looks counts for the nap after it. */
  wakes = 0;
  message: string | undefined;
  /** The last one given. */
  generation = 0;
  private slept = 0;

  constructor(
    readonly definition: AnyJobDefinition,
    readonly start: SagaStart,
    readonly runtime: Runtime,
  ) {
    this.job = { id: start.jobId, tenantId: start.tenantId, kind: start.kind };
    this.parking = new Parking(
      runtime,
      this.flights,
      () => this.fate,
      () => this.changed(),
    );
    // A failure dooms what comes; a wish to end also ends what is in the air (S3).
    this.fate = new Fate(
      (cause) => this.flights.interruptAll(cause.kind === 'failed' ? WAITS : [...WAITS, 'attempt']),
      () => this.flights.interruptPivot(),
    );
    if (start.resume) this.restore(start.resume);
  }

  private restore({ fate, last, losses, sleeps, changes, skipped, leftovers, message }: Resume): void {
    this.fate.restore(fate);
    this.generation = last.generation;
    this.parking.last = last.park;
    this.sleeps.push(...sleeps);
    for (const [name, times] of Object.entries(losses)) this.losses.set(name, times);
    for (const [change, answer] of Object.entries(changes)) this.changes.set(change, answer);
    this.skipped.push(...skipped);
    this.leftovers.push(...leftovers);
    this.message = message;
  }

  get state(): SagaState {
    const { fate, journal, parking, message } = this;
    return {
      phase: this.ended ? 'done' : parking.state ? 'parked' : fate.cause ? 'compensating' : 'forward',
      committed: fate.committed,
      overdue: fate.overdue,
      cancelRequested: fate.cancelRequested,
      park: parking.state,
      steps: journal.steps,
      message,
    };
  }

  /** Signals may be written by hand: nothing of the wish counts but a reason that is text. */
  cancel({ reason }: CancelWish): void {
    const isText = typeof reason === 'string';
    this.fate.intend({
      kind: 'cancelled',
      ...(isText ? { reason: reason.slice(0, REASON_LENGTH_MAX) } : {}),
    });
    this.changed();
  }

  /** What steps were put off for may be there: they look again. */
  wake(): void {
    this.wakes += 1;
    this.lookAgain();
    this.flights.interruptAll(['nap', 'undoNap']);
  }

  /** Whatever was put off is looked at next, be it by the next run. */
  lookAgain(): void {
    const until = this.runtime.now();
    for (const entry of this.journal.entries) {
      if (entry.putOff) entry.putOff = { ...entry.putOff, until };
      if (entry.undoPutOff) entry.undoPutOff = { ...entry.undoPutOff, until };
    }
  }

  changed(): void {
    this.runtime.changed(this.state);
  }

  say(message: string): void {
    this.message = message;
    this.changed();
  }

  show(entry: Entry, status: Entry['shown']['status']): void {
    entry.shown.status = status;
    this.changed();
  }

  /** The step of this name, or a complaint. */
  stepOf(name: string): AnyStep {
    const step = (this.definition.steps as Readonly<Record<string, AnyStep>>)[name];
    if (!step) throw this.misuse(`it has no step "${name}"`);
    return step;
  }

  activityOf(name: string): string {
    return activityNameOf(this.definition, name);
  }

  /** The same step under a key of its own, in its place. */
  renewed(entry: Entry, args: unknown): Entry {
    const { name, item, of, definition, block } = entry;
    const member = item === undefined ? undefined : { item, of: of ?? item + 1 };
    const where = { generation: this.nextGeneration(), block };
    const fresh = this.journal.register(name, member, definition, where)!;
    fresh.args = args;
    return fresh;
  }

  misuse(problem: string): SagaMisuse {
    return new SagaMisuse(this.definition.kind, problem);
  }

  /** Opens a block; one that starts over gets keys of its own (S11). */
  openBlock(isFresh: boolean): Block {
    const generation = isFresh ? this.nextGeneration() : (this.block?.generation ?? 0);
    this.block = new Block(this.block, generation);
    return this.block;
  }

  /** What the block held is gone: nothing it started can end well. What is parked in it waits for its decision (S8). */
  loseBlock(block: Block, failure: Failure): void {
    block.lost = failure;
    if (this.fate.committed) return;
    block.wasParked = this.parking.isWithin(block) && this.keepsParks();
    if (block.wasParked) this.say(this.parking.loseHeld());
    this.flights.interruptBlock(block, block.wasParked);
  }

  /** Whether a park outlives the loss of what its block held; in an older history it did not. */
  keepsParks(): boolean {
    return this.runtime.patched(PARK_OUTLIVES_LOSS);
  }

  /** Whether `resolve` of children that were started looks for how they ended; in an older history it did not. */
  looksAgain(): boolean {
    return this.runtime.patched(RESOLVE_LOOKS_AGAIN);
  }

  /** Steps are in the air, or holders that have been released. */
  get isBusy(): boolean {
    return this.flights.areAny || this.loose.size > 0;
  }

  /** Of effect keys nothing was ever asked under (S11). */
  nextGeneration(): number {
    return ++this.generation;
  }

  closeBlock(block: Block): void {
    if (this.block !== block) {
      throw this.misuse('two `holding` blocks overlap; put one inside the other, or one after the other');
    }
    this.block = block.parent;
  }

  /** Throws once nothing more may be started: the saga is doomed, or the block's holder lost. */
  check(block: Block | undefined): void {
    this.fate.check();
    const lost = this.fate.committed ? undefined : block?.lostBlock();
    if (lost) throw new BlockLost(lost);
  }

  /** Whether {@link check} would throw. */
  isOver(block: Block | undefined): boolean {
    return this.fate.cause !== undefined || (!this.fate.committed && block?.lostBlock() !== undefined);
  }

  /** Sleeps for the saga's own code, which goes on only if the saga still does. */
  async sleep(ms: number): Promise<void> {
    const { block } = this;
    this.check(block);
    this.handover.check();
    const now = this.runtime.now();
    const at = this.slept++;
    const until = (this.sleeps[at] ??= now + ms);
    if (at < (this.start.resume?.sleeps.length ?? 0) && until <= now) return;
    const place = { isPivot: false, isWithin: (outer: Block) => block?.isWithin(outer) ?? false };
    await this.nap(place, 'sleep', until - now);
    this.check(block);
    if (this.handover.isUnderWay) throw new HandedOver();
  }

  /** Whether the job goes the way of a change; who passed here before it was made goes on as before. */
  patched(change: string): boolean {
    const answer = this.changes.get(change) ?? (!this.recall.isOpen && this.runtime.patched(change));
    this.changes.set(change, answer);
    return answer;
  }

  /** Sleeps on behalf of a step; cut short when the saga or the step's block ends, or, of a nap, by a wake-up. */
  async nap(place: Place, kind: WaitKind, ms: number): Promise<void> {
    if (ms <= 0) return;
    const timer = this.runtime.timer(ms);
    const forget = this.flights.interruptible(place, kind, () => timer.cancel());
    await timer.elapsed;
    forget();
  }
}
