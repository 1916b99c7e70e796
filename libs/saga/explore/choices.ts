/**
 * The choices of one schedule, replayable: a schedule is the list of places where it departs from the course in which
 * nothing goes wrong. Exploring is running a schedule, and from what it could have chosen later making its children.
 */

/** What an option uses up; there is only so much of each in one schedule. */
export type Resource = 'faults' | 'cancels' | 'deadlines' | 'decisions';
export type Budget = Readonly<Record<Resource, number>>;

export interface Option {
  readonly name: string;
  /** Free without: it is no departure from what the world promises, only another order of events. */
  readonly costs?: Resource;
}

/** Where a schedule departs: the option taken at the place of this number. */
export interface Departure {
  readonly place: number;
  readonly option: number;
}

interface Alternative {
  readonly departure: Departure;
  readonly isFree: boolean;
}

/** A schedule; its parent's departures come first. */
export interface Schedule {
  readonly parent: Schedule | undefined;
  readonly departure: Departure | undefined;
}

export const STRAIGHT: Schedule = { parent: undefined, departure: undefined };

export function departuresOf(schedule: Schedule): Departure[] {
  const found: Departure[] = [];
  for (let at: Schedule | undefined = schedule; at?.departure; at = at.parent) found.unshift(at.departure);
  return found;
}

/** Answers what to do at each place of a run, as its schedule says, and remembers what else could have been done. */
export class Choices {
  /** Told each departure as it is made. */
  onDeparture: ((where: string, what: string) => void) | undefined;
  private readonly departures: readonly Departure[];
  private readonly left: Record<Resource, number>;
  private next = 0;
  private place = 0;
  /** What else could have been chosen after the last departure. */
  private readonly open: Alternative[] = [];

  constructor(
    readonly schedule: Schedule,
    budget: Budget,
    /** Whether another departure is wanted; other orders of what comes anyway always are. */
    private readonly mayDepart = true,
  ) {
    this.departures = departuresOf(schedule);
    this.left = { ...budget };
  }

  /** The first option is the ordinary one. */
  choose(where: () => string, options: readonly Option[]): Option {
    const place = this.place++;
    const departure = this.departures[this.next];
    if (departure?.place === place) {
      const taken = options[departure.option];
      if (!taken)
        throw new Error(`A schedule has option ${departure.option} at "${where()}", which has none`);
      this.next += 1;
      if (taken.costs) this.left[taken.costs] -= 1;
      this.onDeparture?.(where(), taken.name);
      return taken;
    }
    if (this.next === this.departures.length) {
      for (let option = 1; option < options.length; option += 1) {
        const { costs } = options[option]!;
        if (costs !== undefined && (!this.mayDepart || this.left[costs] === 0)) continue;
        this.open.push({ departure: { place, option }, isFree: costs === undefined });
      }
    }
    return options[0]!;
  }

  /** Whether so much is left. */
  has(resource: Resource): boolean {
    return this.left[resource] > 0;
  }

  /** Every schedule that does as this one did, and departs once more, later. */
  *children(): Generator<{ readonly schedule: Schedule; readonly isFree: boolean }> {
    for (const { departure, isFree } of this.open) {
      yield { schedule: { parent: this.schedule, departure }, isFree };
    }
  }
}
