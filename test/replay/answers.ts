/** What a person can decide of a parked job (S8). */
import type { Answer } from './shape.js';

export const retry: Answer = (control, park) => control.decide(park, 'retry');
/** Tried again, with arguments in the place of those it had. */
export const corrected =
  (args: unknown): Answer =>
  (control, park) =>
    control.decide(park, 'retry', args);
export const skip: Answer = (control, park) => control.decide(park, 'skip');
export const goBack: Answer = (control, park) => control.decide(park, 'compensate');
/** Done outside, with this output. */
export const resolve =
  (output?: unknown): Answer =>
  (control, park) =>
    control.decide(park, 'resolve', output);
