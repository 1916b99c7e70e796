/** A recipient's message: the template with its values, headers, envelope. */
import type { Mail } from './smtp.client.js';
import { compileTemplate, compileText, type Render, type TemplateText } from './template.js';
import type { Value } from './variables.js';

/** What a message says besides the template's text. */
export interface Letterhead {
  readonly from: Person;
  readonly replyTo: Person | undefined;
  readonly listUnsubscribe: { readonly url: string; readonly oneClick?: boolean | undefined } | undefined;
}

export interface Person {
  readonly address: string;
  readonly name?: string | undefined;
}

export interface Addressee {
  readonly jobId: string;
  readonly ordinal: number;
  readonly to: Person;
  readonly values: Readonly<Record<string, Value>>;
}

/** Makes many messages of one template. */
export type Compose = (addressee: Addressee) => Mail;

export function createCompose(
  template: TemplateText,
  { from, replyTo, listUnsubscribe }: Letterhead,
): Compose {
  const render: Render = compileTemplate(template);
  const unsubscribe = listUnsubscribe && compileText(listUnsubscribe.url, encodeURIComponent);
  return ({ jobId, ordinal, to, values }) => {
    const { subject, text, html } = render(values);
    return {
      from: personOf(from),
      to: personOf(to),
      ...(replyTo ? { replyTo: personOf(replyTo) } : {}),
      subject,
      text,
      ...(html === null ? {} : { html }),
      messageId: messageIdOf(jobId, ordinal, from.address),
      headers: listUnsubscribe?.oneClick ? { 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' } : {},
      ...(unsubscribe ? { list: { unsubscribe: unsubscribe(values) } } : {}),
      envelope: { from: from.address, to: to.address },
    };
  };
}

/** The same on every attempt, so that whoever gets it twice can tell (RFC 5322, 3.6.4). */
export function messageIdOf(jobId: string, ordinal: number, from: string): string {
  return `<${jobId}.${ordinal}@${from.slice(from.lastIndexOf('@') + 1)}>`;
}

function personOf({ address, name }: Person): { address: string; name: string } {
  return { address, name: name ?? '' };
}
