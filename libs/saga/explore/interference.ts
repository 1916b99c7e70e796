/** Whatever may come from outside at any moment: a cancel, the deadline, the loss of what is held. */
import type { Interpretation } from '../interpreter/interpreter.js';
import type { EffectRef } from '../protocol.js';
import type { Choices, Option } from './choices.js';
import type { Intervening } from './events.js';
import * as F from './faults.js';
import { factNameOf } from './truth.js';
import type { Workers } from './workers.js';

export class Interference {
  /** What is being told to the saga; nothing once it has a cause, since what comes after that is none. */
  during: Intervening;
  /** The deadline has passed, whichever run of the saga was told. */
  isOverdue = false;
  private isOver = false;
  private isCancelled = false;
  private passDeadline: () => void = () => undefined;
  private holder: string | undefined;

  constructor(
    private readonly choices: Choices,
    private readonly workers: Workers,
    private readonly saga: () => Interpretation,
  ) {}

  /** The deadline's time, which passes when the schedule says so. */
  armDeadline(): Promise<void> {
    const { promise: elapsed, resolve } = Promise.withResolvers<void>();
    this.passDeadline = resolve;
    return elapsed;
  }

  /** Who holds something open now. */
  holds(ref: EffectRef | undefined): void {
    this.holder = ref && factNameOf(ref);
  }

  /** The end is recorded: nobody has anything to say any more. */
  end(): void {
    this.isOver = true;
  }

  /** The wishes to end that have not come yet. */
  get wishesLeft(): Option[] {
    return [...(this.isCancelled ? [] : [F.CANCEL]), ...(this.isOverdue ? [] : [F.DEADLINE])];
  }

  /** What may come while a person is waited for. */
  get comesWhileParked(): Option[] {
    return [...this.wishesLeft, ...(this.isHeld ? [F.HOLD_LOST] : [])];
  }

  private get isHeld(): boolean {
    return this.holder !== undefined && this.workers.has(this.holder);
  }

  /** Lets come what the schedule wants to come here. */
  at(where: () => string): void {
    if (this.isOver) return;
    const { choices } = this;
    const options = [F.NOTHING];
    if (!this.isCancelled && choices.has('cancels')) options.push(F.CANCEL);
    if (!this.isOverdue && choices.has('deadlines')) options.push(F.DEADLINE);
    if (this.isHeld) options.push(F.HOLD_LOST);
    if (options.length === 1) return;
    const chosen = choices.choose(where, options);
    if (chosen !== F.NOTHING) void this.intervene(chosen);
  }

  /** A cancel, the deadline, or the loss of what is held. */
  async intervene(what: Option): Promise<void> {
    if (what === F.HOLD_LOST) return this.workers.lose(this.holder!);
    const isDoomed = this.saga().state.phase === 'compensating';
    if (what === F.CANCEL) {
      this.isCancelled = true;
      this.during = isDoomed ? undefined : 'cancel';
      this.saga().cancel({});
      this.during = undefined;
      return;
    }
    this.isOverdue = true;
    this.during = isDoomed ? undefined : 'deadline';
    this.passDeadline();
    await Promise.resolve();
    await Promise.resolve();
    this.during = undefined;
  }
}
