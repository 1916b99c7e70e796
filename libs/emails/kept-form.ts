/**
 * What the job of an e-mail keeps of how things are when it is accepted: the template's version and the sender. So it is
 * written, and known, the same however often it is tried.
 */
import type { Transaction } from '../saga/implement.js';
import type { EmailRequest, Mailbox } from '../../workflows/email-message.js';
import { findTemplate } from './templates.store.js';

/** An input with all that its job keeps; or why there can be no job. */
export type Kept =
  | { readonly ok: true; readonly stored: unknown }
  | { readonly ok: false; readonly code: string; readonly detail: string };

/** Completes an input that was judged before, as a schedule's was when it was made. */
export type KeepForm = (tx: Transaction, kind: string, input: unknown) => Promise<Kept>;

/** Where a kind's input has its e-mail. */
const PLACES: Readonly<Record<string, readonly string[]>> = {
  'email.send': [],
  'report.delivery': ['email'],
  'payout.batch': ['notify', 'email'],
};

/** `sender`: who writes where an input names nobody; undefined: whoever is configured when the message is written. */
export function createKeepForm(sender: Mailbox | undefined): KeepForm {
  return async (tx, kind, input) => {
    const place = Object.hasOwn(PLACES, kind) ? PLACES[kind] : undefined;
    const email = place && (valueAt(input, place) as EmailRequest | undefined);
    if (!place || !email) return { ok: true, stored: input };
    const { template: name, templateVersion: version } = email;
    const template = await findTemplate(tx, name, { version });
    if (!template) {
      const which =
        version === undefined ? `template "${name}"` : `version ${version} of a template "${name}"`;
      return { ok: false, code: 'email_template_not_found', detail: `There is no ${which}.` };
    }
    const from = email.from ?? sender;
    const kept = { templateVersion: template.version, ...(from ? { from } : {}) };
    return { ok: true, stored: withAt(input, place, kept) };
  };
}

function valueAt(value: unknown, place: readonly string[]): unknown {
  return place.reduce((at, name) => (at as Record<string, unknown> | undefined)?.[name], value);
}

/** A copy that has these fields at its place. */
function withAt(value: unknown, [name, ...rest]: readonly string[], fields: object): object {
  const there = value as Record<string, unknown>;
  return name === undefined
    ? { ...there, ...fields }
    : { ...there, [name]: withAt(there[name], rest, fields) };
}
