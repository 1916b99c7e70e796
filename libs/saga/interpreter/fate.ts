/** Whether a saga still goes forward, and if not, why: one cause, the first (S3, S7, S9, S10). */
import type { Failure } from '../failure.js';
import type { Cause } from '../protocol.js';

/** Thrown to the saga's own code once the saga is doomed; catching it revives nothing, the next call throws it again. */
export class Doomed extends Error {
  constructor(readonly why: Cause) {
    super(why.kind === 'failed' ? `The saga failed: ${why.failure.code}` : `The saga ends: ${why.kind}`);
    this.name = 'Doomed';
  }
}

export type Intent = Exclude<Cause, { kind: 'failed' }>;

export class Fate {
  private doom: Cause | undefined;
  private past = false;
  private pivotOpen = false;
  private latched: Cause | undefined;
  private deadlinePassed = false;
  private cancelled = false;

  /** `onDoom` is told the cause, once; `onLatch`, that a reason to end waits for the pivot. */
  constructor(
    private readonly onDoom: (cause: Cause) => void,
    private readonly onLatch: () => void,
  ) {}

  get cause(): Cause | undefined {
    return this.doom;
  }

  get committed(): boolean {
    return this.past;
  }

  /** The pivot is in flight, or nobody can tell whether it has happened. */
  get isPivotOpen(): boolean {
    return this.pivotOpen;
  }

  /** A reason to end waits for the pivot's outcome. */
  get isLatched(): boolean {
    return this.pivotOpen && this.latched !== undefined;
  }

  get cancelRequested(): boolean {
    return this.cancelled;
  }

  /** The deadline passed, and is not what ends the saga: an alert, nothing else. */
  get overdue(): boolean {
    return this.deadlinePassed && (this.past || (this.doom !== undefined && this.doom.kind !== 'deadline'));
  }

  /** A cancel or the deadline. Latched while the pivot is in flight or in doubt; too late past the commit point. */
  intend(intent: Intent): void {
    if (intent.kind === 'deadline') this.deadlinePassed = true;
    else this.cancelled = true;
    this.end(intent);
  }

  /** A step failed for good, or the saga's own code says no. */
  fail(failure: Failure): void {
    this.end({ kind: 'failed', failure });
  }

  /** From here on nobody can tell whether the pivot has happened. */
  openPivot(): void {
    this.pivotOpen = true;
  }

  /** The pivot is known not to have happened: what was latched counts now. */
  closePivot(): void {
    this.pivotOpen = false;
    if (this.latched) this.end(this.latched);
  }

  /** Past the commit point: whatever was latched is too late. */
  commit(): void {
    this.past = true;
    this.pivotOpen = false;
  }

  /** Throws {@link Doomed} once there is a cause. */
  check(): void {
    if (this.doom) throw new Doomed(this.doom);
  }

  private end(cause: Cause): void {
    if (this.doom || this.past) return;
    if (this.pivotOpen) {
      this.latched ??= cause;
      this.onLatch();
      return;
    }
    this.doom = cause;
    this.onDoom(cause);
  }
}
