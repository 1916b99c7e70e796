/** `client.webhooks`: endpoints of a tenant's events, and what became of their deliveries. */
import { randomUUID } from 'node:crypto';
import type { CallOptions } from './client.js';
import type { Job } from './job.types.js';
import type { Call, Transport } from './transport.js';
import type {
  CallbackSecret,
  WebhookDelivery,
  WebhookDeliveryStatus,
  WebhookEndpoint,
  WebhookEndpointChange,
  WebhookEndpointWish,
  WebhookEndpointWithSecret,
  WebhookResend,
} from './webhook.types.js';

export interface DeliveryListOptions extends CallOptions {
  readonly status?: WebhookDeliveryStatus | undefined;
  /** Deliveries a page, 1 to 200. */
  readonly pageSize?: number | undefined;
}

export interface Webhooks {
  /** The answer has the secret, which is never shown again. Not repeated when the answer is lost. */
  create(wish: WebhookEndpointWish, options?: CallOptions): Promise<WebhookEndpointWithSecret>;
  /** All, the newest first; pages are fetched as the loop reaches them. */
  list(options?: CallOptions & { pageSize?: number | undefined }): AsyncGenerator<WebhookEndpoint, void>;
  get(id: string, options?: CallOptions): Promise<WebhookEndpoint>;
  change(id: string, change: WebhookEndpointChange, options?: CallOptions): Promise<WebhookEndpoint>;
  remove(id: string, options?: CallOptions): Promise<void>;
  /** The secret before signs beside the new one for a day. Not repeated when the answer is lost. */
  rotateSecret(id: string, options?: CallOptions): Promise<WebhookEndpointWithSecret>;
  /** When the secret of callbacks was made. Throws `callback_secret_not_found` where there is none yet. */
  callbackSecret(options?: CallOptions): Promise<CallbackSecret>;
  /** A new secret for callbacks, the first or another. Not repeated when the answer is lost. */
  rotateCallbackSecret(options?: CallOptions): Promise<CallbackSecret & { readonly secret: string }>;
  /** Sends a test event; the job that delivers it. */
  test(id: string, options?: CallOptions): Promise<Job>;
  /** Sends again; the job that does. */
  resend(id: string, what: WebhookResend, options?: CallOptions): Promise<Job>;
  /** Sends a job's callback again; the job that does. */
  resendCallback(jobId: string, options?: CallOptions): Promise<Job>;
  /** An endpoint's, the newest event first. */
  deliveries(id: string, options?: DeliveryListOptions): AsyncGenerator<WebhookDelivery, void>;
  /** One event's, or those that told of one job's end. */
  deliveriesOf(jobId: string, options?: DeliveryListOptions): AsyncGenerator<WebhookDelivery, void>;
}

/** Reads a list page by page. */
export type Pages = <T>(
  path: string,
  query: Readonly<Record<string, string | number | undefined>>,
  signal: AbortSignal | undefined,
) => AsyncGenerator<T, void>;

export function createWebhooks(transport: Transport, pages: Pages): Webhooks {
  const pathOf = (id: string, tail = ''): string => `/webhook-endpoints/${encodeURIComponent(id)}${tail}`;
  const call = async <R>(request: Call): Promise<R> => (await transport.call(request)).body as R;
  const submit = (path: string, body: object | undefined, signal: AbortSignal | undefined): Promise<Job> =>
    call({ method: 'POST', path, headers: { 'idempotency-key': randomUUID() }, body, signal });

  return {
    create: (wish, { signal } = {}) =>
      call({ method: 'POST', path: '/webhook-endpoints', body: wish, signal, isOnce: true }),
    list: ({ signal, pageSize } = {}) => pages('/webhook-endpoints', { limit: pageSize }, signal),
    get: (id, { signal } = {}) => call({ method: 'GET', path: pathOf(id), signal }),
    change: (id, change, { signal } = {}) =>
      call({ method: 'PATCH', path: pathOf(id), body: change, signal }),
    remove: (id, { signal } = {}) => call({ method: 'DELETE', path: pathOf(id), signal }),
    rotateSecret: (id, { signal } = {}) =>
      call({ method: 'POST', path: pathOf(id, '/rotate-secret'), signal, isOnce: true }),
    callbackSecret: ({ signal } = {}) => call({ method: 'GET', path: '/callback-secret', signal }),
    rotateCallbackSecret: ({ signal } = {}) =>
      call({ method: 'POST', path: '/callback-secret/rotate', signal, isOnce: true }),
    test: (id, { signal } = {}) => submit(pathOf(id, '/test'), undefined, signal),
    resend: (id, what, { signal } = {}) => submit(pathOf(id, '/resend'), what, signal),
    resendCallback: (jobId, { signal } = {}) =>
      submit(`/jobs/${encodeURIComponent(jobId)}/callback/resend`, undefined, signal),
    deliveries: (id, { signal, pageSize, status } = {}) =>
      pages(pathOf(id, '/deliveries'), { status, limit: pageSize }, signal),
    deliveriesOf: (jobId, { signal, pageSize, status } = {}) =>
      pages(`/jobs/${encodeURIComponent(jobId)}/deliveries`, { status, limit: pageSize }, signal),
  };
}
