/** Messages that are taken up, written: whom they go to, what they say, or why they are not sent. */
import { createCompose, type Compose } from '../../libs/emails/compose.js';
import { valuesIn, type Recipient } from '../../libs/emails/recipient-rows.js';
import type { Mail } from '../../libs/emails/smtp.client.js';
import { RenderedTooLong } from '../../libs/emails/template.js';
import { findTemplate } from '../../libs/emails/templates.store.js';
import {
  isArtifact,
  problemsOfValues,
  valuesOfRow,
  type Value,
  type VariablesSchema,
} from '../../libs/emails/variables.js';
import { Rejected } from '../../libs/saga/failure.js';
import type { Transaction } from '../../libs/saga/implement.js';
import { inTenant } from '../../libs/store/database.js';
import type { EmailResources } from '../resources.js';
import type { DeliveringContext } from './delivering.js';
import type { ClaimedMessage } from './deliveries.store.js';
import { linkTo, type Link } from './links.js';
import { openRecipients } from './recipients.js';

export type Written =
  | { readonly kind: 'mail'; readonly mail: Mail; readonly address: string }
  | {
      readonly kind: 'settled';
      readonly state: 'suppressed' | 'refused' | 'dead';
      readonly reason: string;
      readonly reply?: string;
    }
  | { readonly kind: 'later'; readonly reason: string };

export interface Writer {
  /** By ordinal. */
  write(messages: readonly ClaimedMessage[]): Promise<ReadonlyMap<number, Written>>;
}

const REPLY_LENGTH_MAX = 500;

interface Form {
  readonly variables: VariablesSchema;
  readonly compose: Compose;
}

/** Of one attempt: template and links are looked up once, recipients a chunk at a time. */
export function openWriter(resources: EmailResources, { job, input }: DeliveringContext): Writer {
  const { database, emails, artifacts } = resources;
  const recipientOf = openRecipients(resources, job, input);
  const links = new Map<string, Promise<Link>>();
  let form: Promise<Form> | undefined;

  async function loadForm(tx: Transaction): Promise<Form> {
    const template = await findTemplate(tx, input.template, {
      version: input.templateVersion,
      evenDeleted: true,
    });
    if (!template)
      throw new Rejected('email_template_not_found', `There is no template "${input.template}".`);
    const from = input.from ?? emails.from;
    if (!from) throw new Rejected('email_not_configured', 'There is no sender (LONGHAUL_EMAIL_FROM).');
    const { replyTo, listUnsubscribe } = input;
    return {
      variables: template.variables,
      compose: createCompose(template, { from, replyTo, listUnsubscribe }),
    };
  }

  /** Links in place of jobs' ids; or why there is none. */
  async function linked(
    tx: Transaction,
    variables: VariablesSchema,
    values: Record<string, Value>,
  ): Promise<Exclude<Link, { kind: 'there' }> | undefined> {
    for (const [name, value] of Object.entries(values)) {
      if (!isArtifact(variables.properties[name]) || typeof value !== 'string') continue;
      const link = await (links.get(value) ?? keep(value, linkTo(tx, artifacts, value)));
      if (link.kind !== 'there') return link;
      values[name] = link.url;
    }
    return undefined;
  }

  function keep(jobId: string, link: Promise<Link>): Promise<Link> {
    if (links.size >= LINKS_KEPT_MAX) links.clear();
    links.set(jobId, link);
    return link;
  }

  async function write(
    tx: Transaction,
    { ordinal }: ClaimedMessage,
    to: Recipient | undefined,
  ): Promise<Written> {
    if (!to)
      return {
        kind: 'settled',
        state: 'dead',
        reason: 'recipient_gone',
        reply: 'Its list was deleted, or is over its time.',
      };
    const { variables, compose } = await (form ??= loadForm(tx));
    const own = valuesOfRow(variables, valuesIn(to));
    // A list has them for each, a single message for the one.
    const values = input.list === undefined ? { ...own, ...input.variables } : { ...input.variables, ...own };
    const problems = problemsOfValues(variables, values);
    if (problems.length > 0) {
      const reply = problems
        .map(({ name, detail }) => `${name}: ${detail}`)
        .join(' ')
        .slice(0, REPLY_LENGTH_MAX);
      return { kind: 'settled', state: 'refused', reason: 'variables_invalid', reply };
    }
    const gone = await linked(tx, variables, values);
    if (gone?.kind === 'not_yet') return { kind: 'later', reason: 'artifact_not_ready' };
    if (gone)
      return {
        kind: 'settled',
        state: 'refused',
        reason: gone.reason,
        reply: 'The file it links to is not there.',
      };
    const { address, name } = to;
    const mail = composed(() => compose({ jobId: job.id, ordinal, to: { address, name }, values }));
    if (mail instanceof RenderedTooLong)
      return { kind: 'settled', state: 'refused', reason: 'variables_invalid', reply: mail.message };
    return {
      kind: 'mail',
      address,
      mail,
    };
  }

  return {
    async write(messages) {
      const written = new Map<number, Written>();
      const recipients = new Map<number, Recipient | undefined>();
      for (const { ordinal } of messages) recipients.set(ordinal, await recipientOf(ordinal));
      if (messages.length === 0) return written;
      await inTenant(database, job.tenantId, async (tx) => {
        const addresses = [...recipients.values()].flatMap((to) => to?.address ?? []);
        const suppressed = await emails.suppressions.among(tx, job.tenantId, addresses);
        for (const message of messages) {
          const to = recipients.get(message.ordinal);
          const isSuppressed = to !== undefined && suppressed.has(to.address);
          written.set(
            message.ordinal,
            isSuppressed
              ? { kind: 'settled', state: 'suppressed', reason: 'suppressed' }
              : await write(tx, message, to),
          );
        }
      });
      return written;
    },
  };
}

/** Links are mostly one for all; of a column of them, so many are remembered. */
const LINKS_KEPT_MAX = 1_000;

/** A recipient's own values may be too much for a message that all others get. */
function composed(compose: () => Mail): Mail | RenderedTooLong {
  try {
    return compose();
  } catch (error) {
    if (error instanceof RenderedTooLong) return error;
    throw error;
  }
}
