/** Every step a saga has started, in order of registration: what compensation goes back over, what readers see. */
import type { AnyStep } from '../define.js';
import { itemOf, type CarriedStep, type EffectRef, type PutOff } from '../protocol.js';
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
  /** Of what the ledger keeps no outcome of: a person's answer, what a holder announced, how children ended. */
  output: unknown;
  putOff: PutOff | undefined;
  undoPutOff: PutOff | undefined;
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

  /** Whether the ledger alone tells all there is to know of it (S14). */
  get isRecorded(): boolean {
    const { kind, holds, children } = this.definition;
    return RECORDED.has(this.shown.status) && kind !== 'decision' && !holds && !children;
  }
}

const RECORDED: ReadonlySet<StepStatus> = new Set(['done', 'undone']);

/** A step of a run before, as it was left. */
export type Restored = Omit<CarriedStep, 'step' | 'item' | 'of' | Counted> &
  Partial<Pick<CarriedStep, Counted>> & { readonly name: string; readonly member: Member | undefined };
type Counted = 'attempts' | 'undoAttempts' | 'deferrals' | 'fenced';

/** Taken back already, or given up by a person. */
const CLOSED: ReadonlySet<StepStatus> = new Set(['undone', 'skipped', 'leftover']);

export class Journal {
  /** Live; a later generation takes the place of the earlier one. */
  readonly steps: StepState[] = [];
  /** The last number given to a step (S3). */
  last = 0;
  /** Of blocks undone to start over: the first and the last `seq`. */
  readonly forgotten: (readonly [first: number, last: number])[] = [];
  /** In order of registration. */
  readonly entries: Entry[] = [];
  private readonly places = new Map<string, number>();
  private readonly entryAt = new Map<number, Entry>();

  /** Answers undefined when this step (and item) was already started under this generation. */
  register(name: string, member: Member | undefined, definition: AnyStep, where: Where): Entry | undefined {
    const at = this.places.get(placeOf(name, member?.item));
    const earlier = at === undefined ? undefined : this.entryAt.get(at);
    if (earlier && earlier.generation >= where.generation) return undefined;
    return this.add(new Entry(++this.last, name, member, where.generation, definition, where.block));
  }

  /** Takes up a step of a run before; in the order of their registration. */
  restore(step: Restored, definition: AnyStep): Entry {
    const { seq, name, member, generation, attempts = 0, undoAttempts = 0, deferrals = 0 } = step;
    const entry = this.add(new Entry(seq, name, member, generation, definition, undefined));
    const { output, putOff, undoPutOff, fenced = false } = step;
    Object.assign(entry, { attempts, undoAttempts, deferrals, output, putOff, undoPutOff, fenced });
    entry.shown.status = step.status;
    return entry;
  }

  /** A block was undone to start over: nothing since its holder was started is to be taken up again. */
  forget(holder: Entry): void {
    this.forgotten.push([holder.seq, this.last]);
  }

  isForgotten({ seq }: Entry): boolean {
    return this.forgotten.some(([first, last]) => first <= seq && seq <= last);
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

  private add(entry: Entry): Entry {
    const place = placeOf(entry.name, entry.item);
    const index = this.places.get(place) ?? this.steps.length;
    this.entries.push(entry);
    this.places.set(place, index);
    this.entryAt.set(index, entry);
    this.steps[index] = entry.shown;
    return entry;
  }
}

/** Where a step, or an item of it, stands, under whatever generation. */
export function placeOf(name: string, item: number | undefined): string {
  return item === undefined ? name : `${name}/${item}`;
}

interface Where {
  readonly generation: number;
  readonly block: Block | undefined;
}
