/** What is really so outside, kept apart from the ledger: what took effect, what was taken back, and in which order. */
import type { EffectRef } from '../protocol.js';

/** An effect's whereabouts, by step, item and generation: whatever key it was asked under. */
export interface Fact extends EffectRef {
  applied: number;
  undone: number;
  live: boolean;
}

export interface Happening {
  readonly what: 'applied' | 'undone';
  readonly fact: Fact;
}

/** Somebody else's system that honours idempotency keys: a key does its work once, and never once it is burnt. */
export interface Provider {
  apply(key: string, ref: EffectRef): 'applied' | 'known' | 'burnt';
  /** Takes back what `key` did, once under each key of an undo; `burns`: a key not seen yet is good for nothing any more. */
  reverse(key: string, undoKey: string, burns: boolean): 'undone' | 'noop';
  /** Whether the key has done its work, and it was not taken back. */
  isLive(key: string): boolean;
}

/** Our own database: whatever is committed happens, as often as it is committed. */
export interface Database {
  commit(ref: EffectRef): void;
  commitUndo(ref: EffectRef): void;
}

export interface Truth extends Provider, Database {
  readonly facts: ReadonlyMap<string, Fact>;
}

export function createTruth(onHappening: (happening: Happening) => void): Truth {
  const facts = new Map<string, Fact>();
  const keys = new Map<string, Fact>();
  const burnt = new Set<string>();
  const undone = new Set<string>();
  const tell = (what: Happening['what'], fact: Fact): void => {
    onHappening({ what, fact });
  };
  const factOf = (ref: EffectRef): Fact => {
    const name = factNameOf(ref);
    const fact = facts.get(name) ?? { ...ref, applied: 0, undone: 0, live: false };
    facts.set(name, fact);
    return fact;
  };
  const happen = (fact: Fact): void => {
    fact.applied += 1;
    fact.live = true;
    tell('applied', fact);
  };
  const takeBack = (fact: Fact): void => {
    fact.undone += 1;
    fact.live = false;
    tell('undone', fact);
  };
  return {
    facts,
    apply(key, ref) {
      if (keys.has(key)) return 'known';
      if (burnt.has(key)) return 'burnt';
      const fact = factOf(ref);
      keys.set(key, fact);
      happen(fact);
      return 'applied';
    },
    reverse(key, undoKey, burns) {
      if (burns) burnt.add(key);
      const fact = keys.get(key);
      if (!fact) return 'noop';
      if (undone.has(undoKey)) return 'undone';
      undone.add(undoKey);
      takeBack(fact);
      return 'undone';
    },
    isLive: (key) => keys.get(key)?.live === true,
    commit: (ref) => happen(factOf(ref)),
    commitUndo: (ref) => takeBack(factOf(ref)),
  };
}

/** `pack 0`; later generations say so. */
export function factNameOf({ step, item, generation }: EffectRef): string {
  return `${step}${item === undefined ? '' : ` ${item}`}${generation === 0 ? '' : ` (generation ${generation})`}`;
}
