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
  /** Takes back, whatever `burn` says; with it the key is good for nothing any more. */
  reverse(key: string, burn: boolean): 'undone' | 'noop';
  /** Whether the key has done its work, and it was not taken back. */
  isLive(key: string): boolean;
}

export interface Truth extends Provider {
  readonly facts: ReadonlyMap<string, Fact>;
  readonly happenings: readonly Happening[];
}

export function createTruth(onHappening: (happening: Happening) => void): Truth {
  const facts = new Map<string, Fact>();
  const happenings: Happening[] = [];
  const keys = new Map<string, Fact>();
  const burnt = new Set<string>();
  const tell = (what: Happening['what'], fact: Fact): void => {
    const happening = { what, fact };
    happenings.push(happening);
    onHappening(happening);
  };
  return {
    facts,
    happenings,
    apply(key, ref) {
      if (keys.has(key)) return 'known';
      if (burnt.has(key)) return 'burnt';
      const name = factNameOf(ref);
      const fact = facts.get(name) ?? { ...ref, applied: 0, undone: 0, live: false };
      facts.set(name, fact);
      keys.set(key, fact);
      fact.applied += 1;
      fact.live = true;
      tell('applied', fact);
      return 'applied';
    },
    reverse(key, burn) {
      if (burn) burnt.add(key);
      const fact = keys.get(key);
      if (!fact?.live) return 'noop';
      fact.live = false;
      fact.undone += 1;
      tell('undone', fact);
      return 'undone';
    },
    isLive: (key) => keys.get(key)?.live === true,
  };
}

/** `pack 0`; later generations say so. */
export function factNameOf({ step, item, generation }: EffectRef): string {
  return `${step}${item === undefined ? '' : ` ${item}`}${generation === 0 ? '' : ` (generation ${generation})`}`;
}
