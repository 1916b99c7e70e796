/** What a workflow's `state` query answers, checked where it enters: an older workflow may answer otherwise. */
import { z } from 'zod';

export const StepStatus = z.enum([
  'waiting',
  'running',
  'retrying',
  'parked',
  'done',
  'failed',
  'skipped',
  'undoing',
  'undone',
  'leftover',
]);

export const QueriedState = z.object({
  phase: z.enum(['forward', 'compensating', 'parked', 'done']),
  steps: z.array(
    z.object({ name: z.string(), item: z.int().optional(), kind: z.string(), status: StepStatus }),
  ),
  message: z.string().optional(),
});
export type QueriedState = z.output<typeof QueriedState>;
