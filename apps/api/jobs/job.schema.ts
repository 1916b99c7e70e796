/** The job as the API shows it, and what hangs on it. The schemas are the OpenAPI document's, and the types ours. */
import { z } from 'zod';
import { Time } from '../http/values.schema.js';
import { StepStatus } from '../engine/state.schema.js';

const Count = z.number().nonnegative();

export const StepError = z.looseObject({
  code: z.string().optional(),
  message: z.string().optional(),
});

export const StepView = z.strictObject({
  name: z.string(),
  item: z.int().optional().describe('The number of a group’s member, from 0.'),
  kind: z.enum(['readOnly', 'compensable', 'pivot', 'retriable', 'decision']),
  status: StepStatus,
  attempt: z.int().describe('Attempts begun so far.'),
  nextAttemptAt: Time.optional(),
  startedAt: Time.optional(),
  finishedAt: Time.optional(),
  lastError: StepError.optional(),
});
export type StepView = z.output<typeof StepView>;

export const Progress = z.strictObject({
  percent: z
    .number()
    .min(0)
    .max(100)
    .describe('The high-water mark of the forward phase; 100 only at the end.'),
  message: z.string().nullable(),
  done: Count.nullable(),
  total: Count.nullable(),
  unit: z.string().nullable(),
  bytes: Count.nullable(),
  ratePerSecond: Count.nullable(),
  etaSeconds: Count.nullable(),
});
export type Progress = z.output<typeof Progress>;

const Jobs = z.int().nonnegative();

export const Children = z.strictObject({
  total: Jobs,
  open: Jobs,
  parked: Jobs.describe('Of those open: they wait for a person.'),
  succeeded: Jobs,
  failed: Jobs,
  cancelled: Jobs,
  parkedJobs: z
    .array(
      z.strictObject({
        id: z.uuid(),
        kind: z.string(),
        key: z.string().nullable(),
        step: z.string(),
        links: z.strictObject({ self: z.url() }),
      }),
    )
    .describe('The first few.'),
});
export type Children = z.output<typeof Children>;

export const JobError = z.looseObject({
  code: z.string(),
  title: z.string().optional(),
  detail: z.string().nullish(),
  step: z.string().nullish(),
  failureClass: z.string().nullish(),
});

export const Job = z.strictObject({
  id: z.uuid().describe('UUIDv7; the id of the job’s workflow, too.'),
  kind: z.string(),
  key: z
    .string()
    .nullable()
    .describe('The natural key: two jobs of a kind with the same one are the same job.'),
  status: z.enum(['PENDING', 'STARTED', 'SUCCEEDED', 'FAILED', 'CANCELLED']),
  phase: z
    .enum(['queued', 'forward', 'compensating', 'parked', 'done'])
    .describe('A parked job waits for a person; its status is STARTED.'),
  revision: z.int().positive().describe('Rises whenever anything but asOf, stale and the pace changes.'),
  progress: Progress,
  steps: z.array(StepView),
  createdAt: Time,
  startedAt: Time.nullable(),
  finishedAt: Time.nullable(),
  deadlineAt: Time,
  delayUntil: Time.nullable().describe('It starts then, not before.'),
  stale: z.boolean().describe('The engine did not answer; this is the last known state.'),
  asOf: Time.describe('When this was true.'),
  attemptOf: z.uuid().nullable().describe('The job that this one is a restart of.'),
  callback: z
    .uuid()
    .nullable()
    .describe('The job that tells of the end, where that was asked for; there once this one has ended.'),
  schedule: z.uuid().nullable().describe('The schedule that this is a run of …'),
  scheduledAt: Time.nullable().describe('… and for when.'),
  parent: z.uuid().nullable().describe('The job that started this one as a step of its own.'),
  children: Children.optional().describe('The jobs that this one started, where it did.'),
  compensated: z.enum(['none', 'all', 'partial']).nullable(),
  skipped: z.array(z.unknown()),
  leftovers: z.array(z.unknown()),
  result: z.unknown().describe('As the kind declares it; null until SUCCEEDED.'),
  error: JobError.nullable(),
  links: z.strictObject({
    self: z.url(),
    events: z.url(),
    result: z.url(),
    cancel: z.url(),
    children: z.url().optional(),
    callback: z.url().optional(),
    temporal: z.url().optional(),
  }),
  duplicate: z.literal(true).optional().describe('The job was there already.'),
});
export type Job = z.output<typeof Job>;

export const JobPage = z.strictObject({ items: z.array(Job) });

export const ArtifactLink = z.strictObject({
  url: z.url(),
  expiresAt: Time,
  bytes: z.int().nonnegative(),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe('Lower-case hex over the bytes served.'),
  contentType: z.string(),
  filename: z.string(),
  rows: z.int().nonnegative().optional(),
});
export type ArtifactLink = z.output<typeof ArtifactLink>;

export const CancelPreview = z.strictObject({
  possible: z.boolean(),
  reason: z.enum(['already_cancelled', 'job_finished', 'too_late']).optional(),
  waitsFor: z
    .strictObject({
      step: z.string(),
      parked: z.boolean().describe('Nobody can tell whether it happened: a person decides.'),
    })
    .optional()
    .describe('The pivot has begun: a cancel is honoured if it proves not done, and too late if done.'),
  wouldUndo: z.array(z.strictObject({ step: z.string(), item: z.int().optional(), undo: z.string() })),
});
export type CancelPreview = z.output<typeof CancelPreview>;

/** Whether a job has ended. */
export function isTerminal(job: { readonly status: Job['status'] }): boolean {
  return job.status === 'SUCCEEDED' || job.status === 'FAILED' || job.status === 'CANCELLED';
}
