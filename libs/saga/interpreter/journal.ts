/** Every step a saga has started, in order of registration: what compensation goes back over, what readers see. */
import type { AnyStep } from '../define.js';
import { itemOf, type EffectRef } from '../protocol.js';
import type { StepState, StepStatus } from '../state.js';
import type { Block } from './block.js';

/** Which member of a group a step is. */
export interface Member {
  readonly item: number;
  readonly of: number;
}

/** One started step. `shown` is the live object readers see. */
export class Entry implements EffectRef {
  /** Attempts used so far; numbers never repeat, so that the ledger can tell a late attempt from the present one. */
  attempts = 0;
  undoAttempts = 0;
  /** How often it was put off. */
  deferrals = 0;
  /** What an undo works from (S1). */
  args: unknown;
  /** Found not to have happened, and fenced: under its key nothing will ever happen (S5). */
  fenced = false;
  readonly shown: StepState & { status: StepStatus };
  declare readonly item?: number;
  /** Members of its group. */
  readonly of: number | undefined;

  constructor(
    readonly seq: number,
    readonly name: string,
    member: Member | undefined,
    readonly generation: number,
    readonly definition: AnyStep,
    readonly block: Block | undefined,
  ) {
    if (member) this.item = member.item;
    this.of = member?.of;
    this.shown = { name, ...itemOf({ item: member?.item }), kind: definition.kind, status: 'waiting' };
  }

  get step(): string {
    return this.name;
  }

  get label(): string {
    return this.item === undefined ? this.name : `${this.name} ${this.item}`;
  }

  get isPivot(): boolean {
    return this.definition.kind === 'pivot';
  }

  isWithin(block: Block): boolean {
    return this.block?.isWithin(block) ?? false;
  }
}

/** Taken back already, or given up by a person. */
const CLOSED: ReadonlySet<StepStatus> = new Set(['undone', 'skipped', 'leftover']);

export class Journal {
  /** Live; a later generation takes the place of the earlier one. */
  readonly steps: StepState[] = [];
  private readonly entries: Entry[] = [];
  private readonly places = new Map<string, number>();

  /** Answers undefined when this step (and item) was already started under this generation. */
  register(name: string, member: Member | undefined, definition: AnyStep, where: Where): Entry | undefined {
    const place = member === undefined ? name : `${name}/${member.item}`;
    const at = this.places.get(place);
    const earlier = at === undefined ? undefined : this.entryAt.get(at);
    if (earlier && earlier.generation >= where.generation) return undefined;
    const entry = new Entry(this.entries.length + 1, name, member, where.generation, definition, where.block);
    this.entries.push(entry);
    const index = at ?? this.steps.length;
    this.places.set(place, index);
    this.entryAt.set(index, entry);
    this.steps[index] = entry.shown;
    return entry;
  }

  /** What has or may have taken effect and can be taken back, last registered first (S3). */
  undoable(block?: Block): Entry[] {
    return this.entries
      .filter((entry) => entry.definition.kind === 'compensable' && !CLOSED.has(entry.shown.status))
      .filter((entry) => block === undefined || entry.isWithin(block))
      .reverse();
  }

  /** Whether any step was taken back, or found to have nothing to take back: that may echo an undo nobody heard of. */
  get hasUndone(): boolean {
    return this.entries.some(
      ({ shown, definition }) => definition.undo !== undefined && shown.status === 'undone',
    );
  }

  private readonly entryAt = new Map<number, Entry>();
}

interface Where {
  readonly generation: number;
  readonly block: Block | undefined;
}
