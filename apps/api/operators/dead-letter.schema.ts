/** Dead letters and decisions, as operators send and see them. The schemas are the OpenAPI document's too. */
import { z } from 'zod';
import { PageQuery } from '../http/page.schema.js';
import { Text, Time } from '../http/values.schema.js';
import { Job, JobError, StepError } from '../jobs/job.schema.js';

const REASON_LENGTH_MAX = 500;
const NAME_LENGTH_MAX = 255;
const PARK_MAX = 1_000_000;

export const DecisionName = z.enum(['retry', 'skip', 'compensate', 'resolve']);

export const DecisionBody = z.strictObject({
  park: z.int().min(1).max(PARK_MAX).describe('The number of the park that is decided about.'),
  decision: DecisionName,
  reason: Text.min(1).max(REASON_LENGTH_MAX).describe('Why, for the audit log.'),
  input: z.json().optional().describe('With `retry`: corrected arguments of the step.'),
  output: z.json().optional().describe('With `resolve`: what the step answered.'),
});
export type DecisionBody = z.output<typeof DecisionBody>;

export const DeadLetterQuery = z.strictObject({
  job: z.uuid().optional().describe('The parks of one job.'),
  kind: Text.min(1).max(NAME_LENGTH_MAX).optional(),
  step: Text.min(1).max(NAME_LENGTH_MAX).optional(),
  code: Text.min(1).max(NAME_LENGTH_MAX).optional().describe('Of the last error.'),
  status: z.enum(['open', 'closed']).optional().describe('`open`: the job still waits there.'),
  ...PageQuery.shape,
});
export type DeadLetterParameters = z.output<typeof DeadLetterQuery>;

export const DecisionView = z.strictObject({
  id: z.uuid(),
  decision: DecisionName,
  reason: z.string(),
  input: z.unknown().optional(),
  output: z.unknown().optional(),
  decidedBy: z.string(),
  decidedAt: Time,
  outcome: z
    .enum(['pending', 'taken', 'refused'])
    .describe('`pending`: stored, and on its way to the saga, however long that takes.'),
  refusal: z
    .string()
    .optional()
    .describe('Why it came to nothing; the park, or the next one, may be decided anew.'),
  settledAt: Time.optional(),
});

export const DeadLetter = z.strictObject({
  id: z.uuid(),
  status: z.enum(['open', 'closed']),
  tenant: z.strictObject({ id: z.uuid(), name: z.string() }),
  jobId: z.uuid(),
  kind: z.string(),
  key: z.string().nullable(),
  jobStatus: Job.shape.status,
  jobPhase: Job.shape.phase,
  jobError: JobError.nullable().describe('Why the job failed, once it has ended.'),
  step: z.string(),
  item: z.int().optional(),
  stepKind: z.string().nullable().describe('Null where this release does not know the kind.'),
  effect: z.string().nullable().describe('What can be known of it: none, own, keyed, probed or blind.'),
  summary: z.string().nullable().describe('What the step does or, of a wait for a person, asks.'),
  park: z.int().describe('A decision names it.'),
  undo: z.boolean().describe('It is the step’s undo that is parked.'),
  doubt: z.boolean().describe('Nobody can tell whether the effect happened.'),
  attempts: z.int(),
  firstError: StepError.nullable(),
  lastError: StepError.nullable().describe('Null where the saga waits by design.'),
  traceId: z.string().nullable(),
  possible: z.array(DecisionName).describe('Empty once it is decided, or over.'),
  correctable: z.boolean().describe('`retry` may come with an `input`.'),
  args: z.unknown().optional().describe('The step’s arguments: what is to be decided about.'),
  effectKey: z.string().optional().describe('Under which the provider knows the effect.'),
  answer: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('The JSON Schema of the `output` that `resolve` takes.'),
  waitingSince: Time,
  until: Time.optional().describe('Of a wait by design: when the declared default counts.'),
  actingUntil: Time.optional().describe('Until when an attempt that has not reported may still act.'),
  ledgerState: z
    .enum(['claimed', 'done', 'undoing', 'undone', 'kept'])
    .nullable()
    .describe('What the ledger says of the step now; null where it never began.'),
  closedAt: Time.optional(),
  decision: DecisionView.nullable().describe('The one that stands, or the last that came to nothing.'),
  refused: z.array(DecisionView).describe('Those that came to nothing before, the oldest first.'),
  links: z.strictObject({ self: z.url(), decisions: z.url(), job: z.url(), temporal: z.url().optional() }),
});
export type DeadLetter = z.output<typeof DeadLetter>;

export const DeadLetterPage = z.strictObject({ items: z.array(DeadLetter) });
