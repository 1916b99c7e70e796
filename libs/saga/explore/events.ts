/** What a run tells whoever watches it: the engine's own words, and the truth. */
import type { AttemptEvent } from '../attempt/world.js';
import type { DeadLetter, EffectRef, Request, SagaEnd } from '../protocol.js';
import type { SagaState } from '../state.js';
import type { DecisionOption } from './operator.js';
import type { Happening } from './truth.js';

/** A wish to end from outside, while it is being told to the saga. */
export type Intervening = 'cancel' | 'deadline' | undefined;

export type RunEvent =
  | { readonly kind: 'continued' }
  | { readonly kind: 'attempt'; readonly event: AttemptEvent }
  | { readonly kind: 'start'; readonly request: Request; readonly state: SagaState }
  | { readonly kind: 'truth'; readonly what: Happening['what']; readonly ref: EffectRef }
  | { readonly kind: 'state'; readonly state: SagaState; readonly during: Intervening }
  | { readonly kind: 'decision'; readonly letter: DeadLetter; readonly chosen: DecisionOption }
  | { readonly kind: 'finish'; readonly end: SagaEnd };

export type Tell = (event: RunEvent) => void;
