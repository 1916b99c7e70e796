/** Whether a schedule's runs would be accepted: judged as jobs are, at two times far apart. */
import { joinNaturalKey } from '../../../libs/store/natural-key.js';
import { fillPlaceholders, PLACEHOLDERS, unknownPlaceholders } from '../../../libs/schedules/placeholders.js';
import type { Completion } from '../jobs/completion.js';
import { Problem, type FieldError } from '../problems/problem.js';
import { prepareSubmission, type Prepared, type SubmissionContext } from '../jobs/submission.js';
import type { ScheduleBody } from './schedule.schema.js';

/** In no part of a date alike. */
const TIMES = [new Date('2031-02-03T04:05:06Z'), new Date('2042-11-22T17:38:49Z')] as const;

/** The wish, its callback's URL as it will be used. Throws Problem `validation_failed` with every error. */
export async function judgeSchedule(
  wish: ScheduleBody,
  context: SubmissionContext,
  complete: Completion,
): Promise<ScheduleBody> {
  const unknown = unknownPlaceholders(wish.input, '/input').map(({ pointer, name }): FieldError => ({
    pointer,
    detail: `there is no placeholder {{${name}}}; there are: ${PLACEHOLDERS.join(', ')}`,
  }));
  const [first, later] = TIMES.map((scheduledAt) => prepare(wish, scheduledAt, context, unknown)) as [
    Prepared,
    Prepared,
  ];
  if (first.definition.naturalKey && first.key === later.key) {
    throw new Problem('validation_failed', 'One value is not allowed.', {
      errors: [
        {
          pointer: '/input',
          detail: `every run would be the same job, by the natural key of ${wish.kind}; put one of ${PLACEHOLDERS.join(', ')} into what that is made of`,
        },
      ],
    });
  }
  // What only the database can say; each run takes what there is then.
  await complete(first);
  return { ...wish, callback: first.callback ?? null };
}

function prepare(
  { kind, input, callback, timeZone }: ScheduleBody,
  scheduledAt: Date,
  context: SubmissionContext,
  found: readonly FieldError[],
): Prepared {
  return prepareSubmission(submissionOf({ kind, input, callback, timeZone }, scheduledAt), context, found);
}

/** A run as somebody would submit it. */
export function submissionOf(
  { kind, input, callback, timeZone }: Pick<ScheduleBody, 'kind' | 'input' | 'callback' | 'timeZone'>,
  scheduledAt: Date,
): Record<string, unknown> {
  return {
    kind,
    input: fillPlaceholders(input, { scheduledAt, timeZone }),
    ...(callback ? { callback } : {}),
  };
}

/** The key of a run of a kind that declares no natural key of its own. */
export function runKeyOf(scheduleId: string, scheduledAt: Date): string {
  return joinNaturalKey([scheduleId, scheduledAt.toISOString()]);
}
