/** What is really so outside, kept apart from the ledger: what took effect, what was taken back, and in which order. */
import type { EffectKind } from '../define.js';
import type { EffectRef } from '../protocol.js';

/** An effect's whereabouts, by step, item and generation: whatever key it was asked under. */
export interface Fact extends EffectRef {
  applied: number;
  undone: number;
  live: boolean;
}

export interface Happening {
  /** `broken`: something was taken back that was not there, where that does harm. */
  readonly what: 'applied' | 'undone' | 'broken';
  readonly fact: Fact;
}

/** An effect as whoever acts on it knows it. */
export interface Deed {
  readonly ref: EffectRef;
  readonly effect: EffectKind;
  readonly key: string;
}

export class Truth {
  readonly facts = new Map<string, Fact>();
  private readonly byKey = new Map<string, Fact>();
  private readonly burnt = new Set<string>();
  private readonly undoKeys = new Set<string>();

  constructor(private readonly onHappening: (happening: Happening) => void) {}

  /**
   * A provider that honours keys does its work once for each, and never once a key is burnt. Any other, and our own
   * database, does it as often as it is asked.
   */
  apply({ ref, effect, key }: Deed): 'applied' | 'known' | 'burnt' {
    if (effect === 'keyed' && this.byKey.has(key)) return 'known';
    if (effect === 'keyed' && this.burnt.has(key)) return 'burnt';
    const fact = this.factOf(ref);
    this.byKey.set(key, fact);
    fact.applied += 1;
    fact.live = true;
    this.onHappening({ what: 'applied', fact });
    return 'applied';
  }

  /**
   * Where keys are honoured: once under each key of an undo, and nothing where there is nothing; `burns`: a key not
   * seen yet is good for nothing any more. Elsewhere it is done as often as it is asked, and harm is done in vain.
   */
  reverse({ ref, effect, key }: Deed, undoKey: string, burns = false): 'undone' | 'noop' {
    if (effect !== 'keyed') return this.revert(this.factOf(ref));
    if (burns) this.burnt.add(key);
    const fact = this.byKey.get(key);
    if (!fact) return 'noop';
    if (this.undoKeys.has(undoKey)) return 'undone';
    this.undoKeys.add(undoKey);
    return this.takeBack(fact);
  }

  /** As whoever is asked about it sees it: a provider with keys looks for the key. */
  isLive({ ref, effect, key }: Deed): boolean {
    const fact = effect === 'keyed' ? this.byKey.get(key) : this.facts.get(factNameOf(ref));
    return fact?.live === true;
  }

  private revert(fact: Fact): 'undone' {
    if (!fact.live) this.onHappening({ what: 'broken', fact });
    return this.takeBack(fact);
  }

  private takeBack(fact: Fact): 'undone' {
    fact.undone += 1;
    fact.live = false;
    this.onHappening({ what: 'undone', fact });
    return 'undone';
  }

  private factOf(ref: EffectRef): Fact {
    const name = factNameOf(ref);
    const fact = this.facts.get(name) ?? { ...ref, applied: 0, undone: 0, live: false };
    this.facts.set(name, fact);
    return fact;
  }
}

/** `pack 0`; later generations say so. */
export function factNameOf({ step, item, generation }: EffectRef): string {
  return `${step}${item === undefined ? '' : ` ${item}`}${generation === 0 ? '' : ` (generation ${generation})`}`;
}
