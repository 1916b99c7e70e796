/** The last known state, kept with the job for times when nobody can be asked (S17). Holds nothing of the client's. */
import { z } from 'zod';
import type { JobSight } from './job.view.js';

export const StoredView = z.object({
  phase: z.enum(['queued', 'forward', 'compensating', 'parked', 'done']),
  percent: z.number(),
  /** When a workflow last said so itself. */
  asOf: z.string(),
});
export type StoredView = z.output<typeof StoredView>;

export function toStoredView(sight: JobSight): StoredView {
  return { phase: sight.phase, percent: sight.progress.percent, asOf: sight.asOf };
}
