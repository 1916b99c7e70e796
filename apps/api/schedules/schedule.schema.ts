/** Schedules, as their owners send and see them. The schemas are the OpenAPI document's too. */
import { z } from 'zod';
import { refusalOfCron, refusalOfTimeZone } from '../../../libs/schedules/cron.js';
import { PLACEHOLDERS } from '../../../libs/schedules/placeholders.js';
import { OVERLAPS } from '../../../libs/schedules/schedules.store.js';
import { Text, Time } from '../http/values.schema.js';
import { CallbackRequest } from '../jobs/job-requests.schema.js';

const CRON_LENGTH_MAX = 200;
const ZONE_LENGTH_MAX = 100;
const NOTE_LENGTH_MAX = 500;
const CATCH_UP_SECONDS_MIN = 10;
const CATCH_UP_SECONDS_MAX = 31_536_000;
const CATCH_UP_SECONDS_DEFAULT = 3_600;

/** Refused with the reason a function gives. */
function judged(
  schema: z.ZodType<string>,
  refusalOf: (text: string) => string | undefined,
): z.ZodType<string> {
  return schema.superRefine((text, context) => {
    const message = refusalOf(text);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });
}

const wish = {
  kind: z.string().describe('One of GET /kinds.'),
  input: z
    .unknown()
    .describe(
      `Of each run’s job. In texts, ${PLACEHOLDERS.join(', ')} stand for what differs from run to run.`,
    ),
  cron: judged(Text.min(1).max(CRON_LENGTH_MAX), refusalOfCron).describe(
    'Minute, hour, day of the month, month, day of the week: `30 6 * * MON-FRI`.',
  ),
  timeZone: judged(Text.min(1).max(ZONE_LENGTH_MAX), refusalOfTimeZone).describe(
    'IANA, e.g. `Europe/Berlin`: what the cron line is in.',
  ),
  overlap: z
    .enum(OVERLAPS)
    .describe('What a run does that is due while the one before still goes on; `cancelOther` cancels that.'),
  catchUpWindowSeconds: z
    .int()
    .min(CATCH_UP_SECONDS_MIN)
    .max(CATCH_UP_SECONDS_MAX)
    .describe('Runs missed because the engine was away are made up for, if it is no longer ago.'),
  paused: z.boolean(),
  note: Text.max(NOTE_LENGTH_MAX).nullable().describe('For people.'),
  callback: CallbackRequest.nullable().describe('Where each run’s end is told.'),
};

export const ScheduleBody = z.strictObject({
  ...wish,
  timeZone: wish.timeZone.default('UTC'),
  overlap: wish.overlap.default('skip'),
  catchUpWindowSeconds: wish.catchUpWindowSeconds.default(CATCH_UP_SECONDS_DEFAULT),
  paused: wish.paused.default(false),
  note: wish.note.default(null),
  callback: wish.callback.default(null),
});
export type ScheduleBody = z.output<typeof ScheduleBody>;

export const ScheduleChange = z
  .strictObject(wish)
  .partial()
  .refine((change) => Object.keys(change).length > 0, 'name at least one field to change')
  .meta({ minProperties: 1 });

export const Schedule = z.strictObject({
  id: z.uuid(),
  ...wish,
  inSync: z.boolean().describe('The engine knows of the last change; it is told as soon as it is there.'),
  nextRuns: z
    .array(Time)
    .nullable()
    .describe(
      'The engine’s plan; null in lists, and while the engine does not answer or has not heard of it.',
    ),
  lastError: z
    .strictObject({ at: Time, code: z.string(), detail: z.string() })
    .nullable()
    .describe('Why the last run made no job.'),
  createdAt: Time,
  updatedAt: Time,
  links: z.strictObject({ self: z.url(), jobs: z.url(), trigger: z.url() }),
});
export type Schedule = z.output<typeof Schedule>;

export const SchedulePage = z.strictObject({ items: z.array(Schedule) });
