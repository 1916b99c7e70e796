/** Webhook endpoints and deliveries, as their owners send and see them. The schemas are the OpenAPI document's too. */
import { z } from 'zod';
import { PageQuery } from '../http/page.schema.js';
import { Text, Time } from '../http/values.schema.js';

const URL_LENGTH_MAX = 2_000;
const EVENT_TYPES_MAX = 50;
const EVENT_TYPE_LENGTH_MAX = 100;
const DESCRIPTION_LENGTH_MAX = 500;
const RATE_MAX = 1_000;
const CONCURRENCY_MAX = 100;
const CONCURRENCY_DEFAULT = 10;

const wish = {
  url: Text.min(1)
    .max(URL_LENGTH_MAX)
    .describe(
      'https, port 443 or 8443, at a public address; what the operator allows beside is in the docs.',
    ),
  eventTypes: z
    .array(
      z
        .string()
        .max(EVENT_TYPE_LENGTH_MAX)
        .regex(
          /^(?:\*|[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*(?:\.\*)?)$/,
          'must be a type (invoice.paid), a prefix (invoice.*), or * for all',
        ),
    )
    .min(1)
    .max(EVENT_TYPES_MAX)
    .describe('Types (`invoice.paid`), prefixes (`invoice.*`), or `*` for all.'),
  description: Text.max(DESCRIPTION_LENGTH_MAX).nullable(),
  ratePerSecond: z
    .int()
    .min(1)
    .max(RATE_MAX)
    .nullable()
    .describe('Deliveries begun in a second, at most; null: as they come.'),
  concurrency: z.int().min(1).max(CONCURRENCY_MAX).describe('Deliveries at a time, of each worker process.'),
};

export const EndpointBody = z.strictObject({
  url: wish.url,
  eventTypes: wish.eventTypes,
  description: wish.description.default(null),
  ratePerSecond: wish.ratePerSecond.default(null),
  concurrency: wish.concurrency.default(CONCURRENCY_DEFAULT),
});

export const EndpointChange = z
  .strictObject({ ...wish, status: z.enum(['enabled', 'disabled']) })
  .partial()
  .refine((change) => Object.keys(change).length > 0, 'name at least one field to change')
  .meta({ minProperties: 1 });

export const Endpoint = z.strictObject({
  id: z.uuid(),
  ...wish,
  status: z.enum(['enabled', 'disabled']),
  disabledReason: z
    .enum(['owner', 'gone', 'failing'])
    .nullable()
    .describe('`gone`: it answered 410. `failing`: nothing reached it for five days.'),
  disabledAt: Time.nullable(),
  failingSince: Time.nullable().describe('Since when nothing has succeeded; null while all is well.'),
  pausedUntil: Time.nullable().describe(
    'It asked for less, or failed too often: nothing is sent until then.',
  ),
  createdAt: Time,
  updatedAt: Time,
  links: z.strictObject({ self: z.url(), deliveries: z.url() }),
});
export type Endpoint = z.output<typeof Endpoint>;

export const EndpointWithSecret = Endpoint.extend({
  secret: z.string().describe('`whsec_…`, Standard Webhooks. Shown now, and never again.'),
});
export type EndpointWithSecret = z.output<typeof EndpointWithSecret>;

export const EndpointPage = z.strictObject({ items: z.array(Endpoint) });

export const CallbackSecret = z.strictObject({
  createdAt: Time,
  previousUntil: Time.nullable().describe('The secret before signs beside it until then.'),
});
export type CallbackSecret = z.output<typeof CallbackSecret>;

export const CallbackSecretShown = CallbackSecret.extend({ secret: EndpointWithSecret.shape.secret });
export type CallbackSecretShown = z.output<typeof CallbackSecretShown>;

const DeliveryStatus = z.enum(['open', 'delivered', 'dead', 'withdrawn']);

export const Delivery = z.strictObject({
  jobId: z.uuid().describe('The event’s job. The `webhook-id` is `msg_` and this.'),
  endpointId: z.uuid(),
  status: DeliveryStatus.describe('`dead`: given up. `withdrawn`: the job was cancelled before.'),
  reason: z.string().nullable().describe('Why it was given up.'),
  attempts: z.int().nonnegative(),
  nextAttemptAt: Time.nullable(),
  createdAt: Time,
  finishedAt: Time.nullable(),
  carriedBy: z.uuid().describe('The job that delivers it: the event’s, or one that sends again.'),
  log: z
    .array(
      z.strictObject({
        at: Time,
        durationMs: z.number().nonnegative(),
        status: z.int().optional(),
        code: z.string().optional().describe('Where there was no answer.'),
        detail: z.string().optional().describe('Of a refusal: how its answer begins, redacted.'),
      }),
    )
    .describe('The last attempts, the oldest first.'),
});
export type Delivery = z.output<typeof Delivery>;

export const DeliveryPage = z.strictObject({ items: z.array(Delivery) });

export const DeliveryQuery = PageQuery.extend({ status: DeliveryStatus.optional() });
export type DeliveryParameters = z.output<typeof DeliveryQuery>;

const Moment = z.iso.datetime({ offset: true });

export const ResendRequest = z.union([
  z.strictObject({ event: z.uuid().describe('The event’s job; sent again whatever became of it.') }),
  z.strictObject({
    since: Moment.describe('What was given up of events submitted since then …'),
    until: Moment.optional().describe('… and before this time.'),
  }),
]);
