/** `client.emails`: templates, lists of recipients, suppressions, and what became of messages. Sending is `submit('email.send', …)`. */
import type { CallOptions } from './client.js';
import type {
  EmailMessage,
  EmailMessageStatus,
  EmailPreview,
  EmailSuppression,
  EmailTemplate,
  EmailTemplateWish,
  EmailValue,
  RecipientList,
  UploadedRecipientList,
} from './email.types.js';
import { UPLOAD_EXTRA_MS, type Call, type Transport, type UploadBody } from './transport.js';
import type { Pages } from './webhooks.js';

interface PageOptions extends CallOptions {
  /** Items a page, 1 to 200. */
  readonly pageSize?: number | undefined;
}

interface VersionOptions extends CallOptions {
  /** By default the newest. */
  readonly version?: number | undefined;
}

export interface UploadListOptions extends CallOptions {
  /** For people. */
  readonly name: string;
  readonly format: 'csv' | 'ndjson';
  readonly ttlDays?: number | undefined;
  /** `skip` leaves bad rows out, and tells them; by default one refuses the list. */
  readonly onBadRows?: 'refuse' | 'skip' | undefined;
}

export interface Emails {
  /** Writes a template; what is changed is a new version. */
  putTemplate(name: string, template: EmailTemplateWish, options?: CallOptions): Promise<EmailTemplate>;
  getTemplate(name: string, options?: VersionOptions): Promise<EmailTemplate>;
  listTemplates(options?: PageOptions): AsyncGenerator<EmailTemplate, void>;
  removeTemplate(name: string, options?: CallOptions): Promise<void>;
  /** What a message would say; nothing is sent. */
  preview(
    name: string,
    variables: Readonly<Record<string, EmailValue>>,
    options?: VersionOptions,
  ): Promise<EmailPreview>;
  /** Streams a list. Not repeated when the answer is lost. */
  uploadList(body: UploadBody, options: UploadListOptions): Promise<UploadedRecipientList>;
  getList(id: string, options?: CallOptions): Promise<RecipientList>;
  listLists(options?: PageOptions): AsyncGenerator<RecipientList, void>;
  /** With all its addresses. */
  removeList(id: string, options?: CallOptions): Promise<void>;
  suppress(address: string, options?: CallOptions): Promise<EmailSuppression>;
  /** All, the newest first; or that of one address. */
  listSuppressions(
    options?: PageOptions & { readonly address?: string | undefined },
  ): AsyncGenerator<EmailSuppression, void>;
  removeSuppression(id: string, options?: CallOptions): Promise<void>;
  /** A job's, in the list's order. */
  messagesOf(
    jobId: string,
    options?: PageOptions & { readonly status?: EmailMessageStatus | undefined },
  ): AsyncGenerator<EmailMessage, void>;
}

const MEDIA_TYPES = { csv: 'text/csv', ndjson: 'application/x-ndjson' } as const;

export function createEmails(transport: Transport, pages: Pages): Emails {
  const call = async <R>(request: Call): Promise<R> => (await transport.call(request)).body as R;
  const template = (name: string, tail = ''): string => `/email-templates/${encodeURIComponent(name)}${tail}`;
  const list = (id: string): string => `/recipient-lists/${encodeURIComponent(id)}`;
  const ofVersion = (version: number | undefined): string =>
    version === undefined ? '' : `?version=${version}`;

  return {
    putTemplate: (name, body, { signal } = {}) => call({ method: 'PUT', path: template(name), body, signal }),
    getTemplate: (name, { signal, version } = {}) =>
      call({ method: 'GET', path: template(name, ofVersion(version)), signal }),
    listTemplates: ({ signal, pageSize } = {}) => pages('/email-templates', { limit: pageSize }, signal),
    removeTemplate: (name, { signal } = {}) => call({ method: 'DELETE', path: template(name), signal }),
    preview: (name, variables, { signal, version } = {}) =>
      call({
        method: 'POST',
        path: template(name, `/preview${ofVersion(version)}`),
        body: { variables },
        signal,
      }),
    uploadList: (body, { signal, format, name, ttlDays, onBadRows }) => {
      const query = new URLSearchParams({ name });
      if (ttlDays !== undefined) query.set('ttlDays', String(ttlDays));
      if (onBadRows !== undefined) query.set('onBadRows', onBadRows);
      return call({
        method: 'POST',
        path: `/recipient-lists?${query.toString()}`,
        upload: { mediaType: MEDIA_TYPES[format], body },
        signal,
        extraMs: UPLOAD_EXTRA_MS,
        isOnce: true,
      });
    },
    getList: (id, { signal } = {}) => call({ method: 'GET', path: list(id), signal }),
    listLists: ({ signal, pageSize } = {}) => pages('/recipient-lists', { limit: pageSize }, signal),
    removeList: (id, { signal } = {}) => call({ method: 'DELETE', path: list(id), signal }),
    suppress: (address, { signal } = {}) =>
      call({ method: 'POST', path: '/email-suppressions', body: { address }, signal }),
    listSuppressions: ({ signal, pageSize, address } = {}) =>
      pages('/email-suppressions', { address, limit: pageSize }, signal),
    removeSuppression: (id, { signal } = {}) =>
      call({ method: 'DELETE', path: `/email-suppressions/${encodeURIComponent(id)}`, signal }),
    messagesOf: (jobId, { signal, pageSize, status } = {}) =>
      pages(`/jobs/${encodeURIComponent(jobId)}/messages`, { status, limit: pageSize }, signal),
  };
}
