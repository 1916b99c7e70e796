/** Templates, lists of recipients, suppressions and messages, as their owners send and see them; also the OpenAPI document's. */
import { z } from 'zod';
import { VariablesSchema } from '../../../libs/emails/variables.js';
import { Count } from '../../../libs/saga/values.js';
import { ONE_LINE, VariableValues } from '../../../workflows/email-message.js';
import { PageQuery } from '../http/page.schema.js';
import { Text, Time } from '../http/values.schema.js';

const SUBJECT_LENGTH_MAX = 1_000;
const BODY_LENGTH_MAX = 200_000;
const NAME_LENGTH_MAX = 200;
const ADDRESS_LENGTH_MAX = 320;
export const TTL_DAYS_MAX = 365;
export const TTL_DAYS_DEFAULT = 30;
const REASON_LENGTH_MAX = 200;

export const TEMPLATE_NAME = /^[a-z0-9][a-z0-9._-]{0,99}$/;

const written = {
  subject: Text.min(1)
    .max(SUBJECT_LENGTH_MAX)
    .regex(ONE_LINE, 'must be one line')
    .describe('With `{{variables}}`; always one line.'),
  text: Text.min(1).max(BODY_LENGTH_MAX).describe('As plain text; nothing is escaped in it.'),
  html: Text.min(1).max(BODY_LENGTH_MAX).nullable().describe('Every value is escaped in it.'),
};

export const TemplateBody = z.strictObject({
  subject: written.subject,
  text: written.text,
  html: written.html.default(null),
  variables: VariablesSchema.default({ properties: {}, required: [] }).describe('A part of JSON Schema.'),
});

export const Template = z.strictObject({
  name: z.string(),
  version: z
    .int()
    .positive()
    .describe('A change makes a new one; jobs keep the one they were accepted with.'),
  ...written,
  variables: VariablesSchema,
  createdAt: Time.describe('Of this version.'),
  links: z.strictObject({ self: z.url(), preview: z.url() }),
});
export type Template = z.output<typeof Template>;

export const TemplatePage = z.strictObject({ items: z.array(Template) });

export const TemplateQuery = z.strictObject({
  version: z
    .string()
    .regex(/^[1-9]\d{0,8}$/, 'expected a version, 1 or more')
    .meta({ type: 'integer', minimum: 1 })
    .transform(Number)
    .optional(),
});
export type TemplateParameters = z.output<typeof TemplateQuery>;

export const PreviewRequest = z.strictObject({ variables: VariableValues.default({}) });

export const Preview = z.strictObject({
  version: z.int().positive(),
  subject: z.string(),
  text: z.string(),
  html: z.string().nullable(),
});
export type Preview = z.output<typeof Preview>;

const BadRow = z.strictObject({ line: z.int().positive(), detail: z.string() });

export const RecipientList = z.strictObject({
  id: z.uuid(),
  name: z.string(),
  recipients: Count,
  duplicates: Count.describe('Rows left out, because an earlier one has the address.'),
  invalid: Count.describe('Rows left out with `onBadRows=skip`.'),
  columns: z.array(z.string()).describe('What rows have beside the address: templates’ variables.'),
  bytes: Count,
  createdAt: Time,
  expiresAt: Time.describe('Then it is deleted.'),
  links: z.strictObject({ self: z.url() }),
});
export type RecipientList = z.output<typeof RecipientList>;

export const UploadedList = RecipientList.extend({
  badRows: z.array(BadRow).describe('The first hundred of those that were left out.'),
});
export type UploadedList = z.output<typeof UploadedList>;

export const RecipientListPage = z.strictObject({ items: z.array(RecipientList) });

export const UploadQuery = z.strictObject({
  name: Text.min(1).max(NAME_LENGTH_MAX).describe('For people.'),
  ttlDays: z
    .string()
    .refine((text) => /^\d{1,3}$/.test(text), `expected a whole number from 1 to ${TTL_DAYS_MAX}`)
    .meta({ type: 'integer', minimum: 1, maximum: TTL_DAYS_MAX, default: TTL_DAYS_DEFAULT })
    .transform(Number)
    .pipe(z.int().min(1).max(TTL_DAYS_MAX))
    .optional()
    .describe('Days it is kept.'),
  onBadRows: z
    .enum(['refuse', 'skip'])
    .optional()
    .describe('Refuse the whole list (the default), or leave them out and tell which.'),
});
export type UploadParameters = z.output<typeof UploadQuery>;

const reason = z
  .enum(['owner', 'bounced'])
  .describe('`bounced`: a server said that there is no such mailbox.');

export const SuppressionBody = z.strictObject({ address: Text.min(3).max(ADDRESS_LENGTH_MAX) });

export const Suppression = z.strictObject({
  id: z.uuid(),
  address: z.string(),
  reason,
  detail: z.string().max(REASON_LENGTH_MAX).nullable().describe('The server’s reply, redacted.'),
  createdAt: Time,
  links: z.strictObject({ self: z.url() }),
});
export type Suppression = z.output<typeof Suppression>;

export const SuppressionPage = z.strictObject({ items: z.array(Suppression) });

export const SuppressionQuery = PageQuery.extend({
  address: Text.min(3).max(ADDRESS_LENGTH_MAX).optional().describe('This one alone, if it is there.'),
});
export type SuppressionParameters = z.output<typeof SuppressionQuery>;

const MessageStatus = z.enum(['open', 'sending', 'sent', 'refused', 'suppressed', 'dead', 'withdrawn']);

export const Message = z.strictObject({
  place: z.int().nonnegative().describe('In the list, from 0.'),
  messageId: z
    .string()
    .nullable()
    .describe('The header Message-ID, without brackets; null once the sender is not known.'),
  to: z.string().nullable().describe('Redacted; null once its list is deleted.'),
  status: MessageStatus.describe(
    '`refused`: by the server for good, or for want of variables. `dead`: given up. `withdrawn`: the job was stopped before.',
  ),
  reason: z.string().nullable(),
  reply: z.string().nullable().describe('The server’s last one, redacted.'),
  attempts: Count,
  doubts: Count.describe(
    'How often nobody heard whether the server took it; it was sent again under the same Message-ID.',
  ),
  nextAttemptAt: Time.nullable(),
  finishedAt: Time.nullable(),
});
export type Message = z.output<typeof Message>;

export const MessagePage = z.strictObject({ items: z.array(Message) });

export const MessageQuery = z.strictObject({
  status: MessageStatus.optional(),
  from: z
    .string()
    .regex(/^\d{1,6}$/, 'expected a place, 0 or more')
    .meta({ type: 'integer', minimum: 0 })
    .transform(Number)
    .optional()
    .describe('The place to begin with; the Link header has the next page’s.'),
  limit: PageQuery.shape.limit,
});
export type MessageParameters = z.output<typeof MessageQuery>;
