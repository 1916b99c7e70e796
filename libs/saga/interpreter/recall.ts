/**
 * Taking up what a run before left off. Going forward, the saga's code is executed again from its beginning: what it
 * did then answers at once, as it answered, so that it goes on from there. Going back, it is not executed.
 */
import { type CarriedStep, type RecalledStep, type Resume } from '../protocol.js';
import { placeOf, type Entry, type Restored } from './journal.js';
import type { SagaRun } from './saga-run.js';

/** A step of a run before, and what it answered. */
export interface Recalled {
  readonly entry: Entry;
  readonly output: unknown;
}

/** What the saga's code has not asked for again yet. */
export class Recall {
  private readonly open = new Map<string, Recalled>();
  private over: PromiseWithResolvers<void> | undefined;

  constructor(private readonly run: SagaRun) {}

  get isOpen(): boolean {
    return this.open.size > 0;
  }

  /** A later generation takes the place of the earlier one. */
  add(recalled: Recalled): void {
    this.open.set(placeOf(recalled.entry.name, recalled.entry.item), recalled);
  }

  /** The step as it was left, once; undefined where no run before called it. */
  claim(name: string, item: number | undefined): Recalled | undefined {
    const place = placeOf(name, item);
    const recalled = this.open.get(place);
    this.open.delete(place);
    if (!this.isOpen) this.over?.resolve();
    return recalled;
  }

  /** Before anything new: all there was must have been asked for, by whichever part of the code. */
  async closed(label: string): Promise<void> {
    if (!this.isOpen) return;
    if (!this.over) {
      this.over = Promise.withResolvers();
      // All of it answers at once, so whoever would ask has asked when any time has passed.
      void this.run.runtime.sleep(0).then(() => this.over?.resolve());
    }
    await this.over.promise;
    this.check(`calls step "${label}"`);
  }

  /** Throws when the code does `what` without having asked for all there was. */
  check(what: string): void {
    const [missing] = this.open.values();
    if (!missing) return;
    throw this.run.misuse(
      `its code ${what} where it called step "${missing.entry.label}" before it went on in a new run; a change to it must be behind \`patched\``,
    );
  }
}

/** Reads back what the runs before did. */
export async function takeUp(run: SagaRun, resume: Resume): Promise<void> {
  const isForward = resume.fate.cause === undefined;
  const recorded: RecalledStep[] = [];
  for (let after: number | undefined = 0; after !== undefined;) {
    const page = await run.runtime.recall({ after, outcomes: isForward });
    recorded.push(...page.steps);
    after = page.next;
  }
  const carried = new Set(resume.steps.map(({ seq }) => seq));
  const all = [
    ...resume.steps.map((step) => restoredOf(step, isForward)),
    ...recorded.filter(([, , , seq]) => !carried.has(seq)).map((step) => recalledOf(step, resume.groups)),
  ].sort((a, b) => a.seq - b.seq);
  run.journal.forgotten.push(...resume.forgotten);
  for (const step of all) {
    const entry = run.journal.restore(step, run.stepOf(step.name));
    if (isForward && !run.journal.isForgotten(entry)) run.recall.add({ entry, output: step.output });
  }
  run.journal.last = resume.last.seq;
  if (run.wakes > 0) run.lookAgain();
  run.changed();
}

function restoredOf({ step: name, item, of, ...rest }: CarriedStep, isForward: boolean): Restored {
  // Whoever waited to be tried again is not tried again in a saga that goes back.
  const status = rest.status === 'waiting' && !isForward ? 'failed' : rest.status;
  return { ...rest, status, name, member: item === undefined ? undefined : { item, of: of ?? item + 1 } };
}

/** What nobody carried and the ledger has neither as done nor as undone may have happened: it is undone like any other. */
function recalledOf(
  [name, item, generation, seq, state, outcome]: RecalledStep,
  groups: Resume['groups'],
): Restored {
  return {
    name,
    member: item === null ? undefined : { item, of: groups[name] ?? item + 1 },
    generation,
    seq,
    status: state === 'done' || state === 'undone' ? state : 'failed',
    output: outcome,
  };
}
