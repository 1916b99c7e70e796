/** What a client asks for when it asks for e-mail, and what comes of it. */
import { z } from 'zod';
import { Count } from '../libs/saga/values.js';

const NAME_LENGTH_MAX = 100;
const URL_LENGTH_MAX = 2_000;
const VARIABLES_MAX = 50;
const TEXT_LENGTH_MAX = 10_000;
const ADDRESS_LENGTH_MAX = 320;
const PERSON_LENGTH_MAX = 200;

/** No line ends and no other control characters: it goes into a header. Spelt out, for those who read the JSON Schema. */
export const ONE_LINE = /^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$/;

const OneLine = z.string().regex(ONE_LINE, 'must be one line without control characters');

export const Mailbox = z.strictObject({
  address: z.string().min(3).max(ADDRESS_LENGTH_MAX),
  name: OneLine.max(PERSON_LENGTH_MAX).optional(),
});
export type Mailbox = z.output<typeof Mailbox>;

/** By name; what they may be, the template says. */
export const VariableValues = z
  .record(
    z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9_]{0,49}$/, 'must be letters, digits and _, beginning with a letter'),
    z.union([z.string().max(TEXT_LENGTH_MAX), z.number(), z.boolean()]),
  )
  .refine(
    (values) => Object.keys(values).length <= VARIABLES_MAX,
    `has more than ${VARIABLES_MAX} variables`,
  );
export type VariableValues = z.output<typeof VariableValues>;

/** What a message has; that it goes to one or to a list is for its readers to check. */
export const EmailFields = {
  message: z
    .string()
    .min(1)
    .max(NAME_LENGTH_MAX)
    .describe(
      'The message’s own name; the same name again is the same job. Stored in the clear: no address in it.',
    ),
  template: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,99}$/, 'must be a template’s name, e.g. invoice-paid')
    .describe('Of GET /email-templates.'),
  templateVersion: z.int().positive().optional().describe('By default the newest when the job is accepted.'),
  to: Mailbox.optional().describe('One recipient …'),
  list: z.uuid().optional().describe('… or all of a list of GET /recipient-lists.'),
  variables: VariableValues.optional().describe(
    'The template’s. A list’s column of the same name goes before it; `name` is by default the recipient’s.',
  ),
  from: Mailbox.optional().describe('By default the operator’s; else at one of the domains it allows.'),
  replyTo: Mailbox.optional(),
  listUnsubscribe: z
    .strictObject({
      url: z
        .string()
        .regex(/^https:\/\/[^\s<>"]+$/, 'must be an https URL')
        .max(URL_LENGTH_MAX)
        .describe('May name the template’s variables: https://example.com/off?who={{token}}'),
      oneClick: z.boolean().optional().describe('It takes a POST without questions (RFC 8058).'),
    })
    .optional()
    .describe('Makes the header List-Unsubscribe.'),
};

export const EmailRequest = z
  .strictObject(EmailFields)
  .refine(({ to, list }) => (to === undefined) !== (list === undefined), {
    path: ['to'],
    message: 'name either one recipient (to) or a list',
  });
export type EmailRequest = z.output<typeof EmailRequest>;

/** Recipients by what became of their message. */
export const EmailTally = z.strictObject({
  sent: Count.describe('The server took it.'),
  suppressed: Count.describe('Not sent: the address is on the suppression list.'),
  refused: Count.describe('Refused for good, by the server (5xx) or because variables are missing.'),
  dead: Count.describe('Given up after all attempts.'),
});
