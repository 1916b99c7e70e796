/** What may be sent to the jobs' routes. The kinds' own inputs are in their definitions. */
import { z } from 'zod';

const KEY_LENGTH_MAX = 255;
const REASON_LENGTH_MAX = 200;
const CURSOR_LENGTH_MAX = 100;
const BATCH_MAX = 1_000;
export const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 200;

/** Text that PostgreSQL can hold: query strings do not pass the body's inspection. */
export const Text = z
  .string()
  .refine(
    (text) => !text.includes('\0') && text.isWellFormed(),
    'has a NUL character or half of a surrogate pair',
  );

/** Fields that later versions bring: answered with 422 `not_available`, not as unknown. */
export const RESERVED_FIELDS: readonly string[] = ['delayUntil', 'callback', 'priority'];

export const OnDuplicate = z
  .enum(['return', 'restart'])
  .describe(
    'What to do when a job of the same natural key is there: answer it, or start a successor if it ended.',
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
  cursor: Text.max(CURSOR_LENGTH_MAX).optional().describe('From the Link header of the page before.'),
  limit: z
    .string()
    .refine((text) => /^\d{1,4}$/.test(text), `expected a whole number from 1 to ${LIMIT_MAX}`)
    .meta({ type: 'integer', minimum: 1, maximum: LIMIT_MAX, default: LIMIT_DEFAULT })
    .transform(Number)
    .pipe(z.int().min(1).max(LIMIT_MAX))
    .optional(),
});
export type ListParameters = z.output<typeof ListQuery>;
