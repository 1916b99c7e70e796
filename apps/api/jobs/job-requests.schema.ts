/** What may be sent to the jobs' routes. The kinds' own inputs are in their definitions. */
import { z } from 'zod';
import { URL_LENGTH_MAX } from '../../../libs/webhooks/target.js';
import { PageQuery } from '../http/page.schema.js';
import { Text } from '../http/values.schema.js';

const KEY_LENGTH_MAX = 255;
const REASON_LENGTH_MAX = 200;
const BATCH_MAX = 1_000;
const DELAY_DAYS_MAX = 90;
const DELAY_MS_MAX = DELAY_DAYS_MAX * 86_400_000;

/** Fields that later versions bring: answered with 422 `not_available`, not as unknown. */
export const RESERVED_FIELDS: readonly string[] = ['priority'];

export const OnDuplicate = z
  .enum(['return', 'restart'])
  .describe(
    'What to do when a job of the same natural key is there: answer it, or start a successor if it ended.',
  );

/** Where the job's end is told. */
export const CallbackRequest = z
  .strictObject({
    url: Text.min(1)
      .max(URL_LENGTH_MAX)
      .describe('Judged as a webhook endpoint’s is: https, port 443 or 8443, at a public address.'),
  })
  .describe('Is sent a signed `job.succeeded`, `job.failed` or `job.cancelled` when the job has ended.');

export const DelayUntil = z.iso
  .datetime({ offset: true })
  .refine(
    (time) => !(Date.parse(time) > Date.now() + DELAY_MS_MAX),
    `is more than ${DELAY_DAYS_MAX} days ahead; use a schedule, or submit it later`,
  )
  .describe(
    `The job starts then, or at once where that is past; at most ${DELAY_DAYS_MAX} days ahead. Its deadline counts from there.`,
  );

/** Everything of a submission but the input, whose schema the kind has. */
export const Submission = z.strictObject({
  kind: z.string().describe('One of GET /kinds.'),
  input: z.unknown(),
  key: Text.min(1)
    .max(KEY_LENGTH_MAX)
    .optional()
    .describe('The natural key, only for kinds that declare none of their own.'),
  onDuplicate: OnDuplicate.optional(),
  delayUntil: DelayUntil.optional(),
  callback: CallbackRequest.optional(),
});

export const Batch = z.strictObject({ jobs: z.array(z.unknown()).min(1).max(BATCH_MAX) });

export const CancelRequest = z.strictObject({ reason: Text.max(REASON_LENGTH_MAX).optional() });

export const CancelQuery = z.strictObject({ dryRun: z.enum(['true', 'false']).optional() });

export const NoQuery = z.strictObject({});

export const ListQuery = z.strictObject({
  kind: Text.min(1).max(KEY_LENGTH_MAX).optional(),
  status: z.enum(['PENDING', 'STARTED', 'SUCCEEDED', 'FAILED', 'CANCELLED']).optional(),
  key: Text.min(1).optional(),
  parent: z.uuid().optional().describe('Jobs that this job started.'),
  since: z.iso.datetime({ offset: true }).optional().describe('Jobs created at or after this time.'),
  ...PageQuery.shape,
});
export type ListParameters = z.output<typeof ListQuery>;
