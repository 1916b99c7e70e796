/** Rows of e-mail as the API shows them. */
import { redactAddress } from '../../../libs/emails/address.js';
import type { MessageRecord } from '../../../libs/emails/message-log.store.js';
import type { ListRecord } from '../../../libs/emails/recipient-lists.store.js';
import type { SuppressionRecord } from '../../../libs/emails/suppressions.store.js';
import type { TemplateRecord } from '../../../libs/emails/templates.store.js';
import type { Message, RecipientList, Suppression, Template } from './email.schema.js';

export function templateView(record: TemplateRecord, publicUrl: string): Template {
  const { name, version, subject, text, html, variables, createdAt } = record;
  const path = `${publicUrl}/email-templates/${name}`;
  return {
    name,
    version,
    subject,
    text,
    html,
    variables,
    createdAt: createdAt.toISOString(),
    links: { self: `${path}?version=${version}`, preview: `${path}/preview?version=${version}` },
  };
}

export function listView(record: ListRecord, publicUrl: string): RecipientList {
  const { id, name, recipients, duplicates, invalid, columns, bytes, createdAt, expiresAt } = record;
  return {
    id,
    name,
    recipients,
    duplicates,
    invalid,
    columns: [...columns],
    bytes,
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
    links: { self: `${publicUrl}/recipient-lists/${id}` },
  };
}

export function suppressionView(record: SuppressionRecord, publicUrl: string): Suppression {
  const { id, address, reason, detail, createdAt } = record;
  const links = { self: `${publicUrl}/email-suppressions/${id}` };
  return { id, address, reason, detail, createdAt: createdAt.toISOString(), links };
}

export function messageView(
  record: MessageRecord,
  { to, messageId }: { readonly to: string | undefined; readonly messageId: string | undefined },
): Message {
  const { ordinal, state, reason, reply, attempts, doubts, dueAt, settledAt } = record;
  return {
    place: ordinal,
    messageId: messageId?.slice(1, -1) ?? null,
    to: to === undefined ? null : redactAddress(to),
    status: state,
    reason,
    reply,
    attempts,
    doubts,
    nextAttemptAt: state === 'open' ? dueAt.toISOString() : null,
    finishedAt: settledAt?.toISOString() ?? null,
  };
}
