/**
 * What is asked of an `email.send` when it is posted: its template, variables, addresses and list. The job keeps the
 * template's version and the sender, so that it is written, and known, the same however often it is tried.
 */
import { parseAddress } from '../../../libs/emails/address.js';
import { findList, type ListRecord } from '../../../libs/emails/recipient-lists.store.js';
import { variablesOf } from '../../../libs/emails/template.js';
import { findTemplate, type TemplateRecord } from '../../../libs/emails/templates.store.js';
import { problemsOfValues, propertyOf, type VariablesSchema } from '../../../libs/emails/variables.js';
import { inTenant } from '../../../libs/store/database.js';
import type { EmailRequest, Mailbox } from '../../../workflows/email-message.js';
import type { ApiResources } from '../api.resources.js';
import { distinct } from '../http/validate.js';
import type { Prepared } from '../jobs/submission.js';
import { Problem, type FieldError } from '../problems/problem.js';

export function emailCompletion(
  { settings, database }: ApiResources,
  tenantId: string,
): (prepared: Prepared) => Promise<Prepared> {
  const templates = new Map<string, Promise<TemplateRecord | undefined>>();
  const lists = new Map<string, Promise<ListRecord | undefined>>();

  function templateOf({
    template,
    templateVersion: version,
  }: EmailRequest): Promise<TemplateRecord | undefined> {
    return once(templates, `${template} ${version ?? 'newest'}`, () =>
      inTenant(database, tenantId, (tx) => findTemplate(tx, template, { version })),
    );
  }

  function listOf({ list }: EmailRequest): Promise<ListRecord | undefined> {
    if (list === undefined) return Promise.resolve(undefined);
    return once(lists, list, () => inTenant(database, tenantId, (tx) => findList(tx, list)));
  }

  return async (prepared) => {
    const input = prepared.input as EmailRequest;
    const { from: sender, fromDomains } = settings.emails;
    if (!sender)
      throw new Problem('email_not_configured', 'This installation has no SMTP server to send through.');
    const [template, list] = await Promise.all([templateOf(input), listOf(input)]);
    const errors: FieldError[] = [
      ...problemOfAddress('/input/to/address', input.to),
      ...problemOfAddress('/input/replyTo/address', input.replyTo),
      ...problemOfSender(input.from, fromDomains),
      ...(input.list !== undefined && !list
        ? [{ pointer: '/input/list', detail: 'There is no such list, or it is over its time.' }]
        : []),
      ...(template ? problemsOfContent(input, template.variables, list) : [noTemplate(input)]),
    ];
    if (errors.length > 0 || !template) {
      throw new Problem('validation_failed', 'The message cannot be sent as it is.', {
        errors: distinct(errors),
      });
    }
    const stored: EmailRequest = {
      ...input,
      templateVersion: template.version,
      from: input.from ?? { ...sender },
    };
    return { ...prepared, stored };
  };
}

function once<T>(known: Map<string, Promise<T>>, key: string, look: () => Promise<T>): Promise<T> {
  const there = known.get(key) ?? look();
  known.set(key, there);
  return there;
}

function noTemplate({ template, templateVersion }: EmailRequest): FieldError {
  return templateVersion === undefined
    ? { pointer: '/input/template', detail: `There is no template "${template}".` }
    : {
        pointer: '/input/templateVersion',
        detail: `There is no version ${templateVersion} of a template "${template}".`,
      };
}

function problemOfAddress(pointer: string, mailbox: Mailbox | undefined): FieldError[] {
  const parsed = mailbox && parseAddress(mailbox.address);
  return parsed && !parsed.ok ? [{ pointer, detail: parsed.problem }] : [];
}

function problemOfSender(from: Mailbox | undefined, domains: readonly string[]): FieldError[] {
  const pointer = '/input/from/address';
  const parsed = from && parseAddress(from.address);
  if (!parsed) return [];
  if (!parsed.ok) return [{ pointer, detail: parsed.problem }];
  if (domains.includes(parsed.domain)) return [];
  return [{ pointer, detail: `The operator allows senders at: ${domains.join(', ')}.` }];
}

/** A list’s columns stand in for variables that are not given; each row is judged by itself when it is its turn. */
function problemsOfContent(
  { variables = {}, to, listUnsubscribe }: EmailRequest,
  schema: VariablesSchema,
  list: ListRecord | undefined,
): FieldError[] {
  const columns = new Set(list?.columns ?? (to?.name === undefined ? [] : ['name']));
  const problems = problemsOfValues(schema, variables, columns).map(({ name, detail }) => ({
    pointer: `/input/variables/${name}`,
    detail,
  }));
  if (!listUnsubscribe) return problems;
  return [
    ...problems,
    ...namesIn(listUnsubscribe.url).flatMap((name) =>
      propertyOf(schema, name)
        ? []
        : [{ pointer: '/input/listUnsubscribe/url', detail: `The template has no variable "${name}".` }],
    ),
  ];
}

function namesIn(url: string): readonly string[] {
  try {
    return [...variablesOf(url)];
  } catch (error) {
    throw new Problem('validation_failed', 'The message cannot be sent as it is.', {
      errors: [{ pointer: '/input/listUnsubscribe/url', detail: `It is no template: ${String(error)}` }],
    });
  }
}
