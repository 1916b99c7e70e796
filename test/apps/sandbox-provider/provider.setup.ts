/** A provider in this process, on a real socket and a file of its own, and calls to it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startProvider, type ProviderOptions } from '../../../apps/sandbox-provider/provider.server.js';

export const PROVIDER_KEY = 'test-key';

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

export interface TestProvider {
  readonly url: string;
  readonly errors: unknown[];
  call(method: string, path: string, options?: CallOptions): Promise<Reply>;
  /** Pays 500 EUR cents to `alice` unless told otherwise. */
  pay(key: string, order?: object, options?: CallOptions): Promise<Reply>;
  plan(plan: object): Promise<void>;
  /** Closes it and starts it again on the same file. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export interface CallOptions {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

export const ORDER = { amountMinor: 500, currency: 'EUR', recipient: 'alice', reference: 'invoice 1' };
/** Where a key is found: its slashes are part of it. */
export const keyPath = (key: string): string => `/transfers/by-key/${encodeURIComponent(key)}`;

/** Calls a provider, wherever it runs. */
export async function callProvider(
  url: string,
  method: string,
  path: string,
  { body, headers, signal }: CallOptions = {},
): Promise<Reply> {
  const response = await fetch(url + path, {
    method,
    headers: {
      authorization: `Bearer ${PROVIDER_KEY}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    ...(signal ? { signal } : {}),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? undefined : (JSON.parse(text) as unknown),
  };
}

/** Starts one; `alice` may be paid, `mallory` is blocked. */
export async function createTestProvider(options: Partial<ProviderOptions> = {}): Promise<TestProvider> {
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-provider-'));
  const errors: unknown[] = [];
  const start = () =>
    startProvider({
      port: 0,
      data: join(folder, 'provider.db'),
      key: PROVIDER_KEY,
      onError: (error) => errors.push(error),
      ...options,
    });
  let running = await start();
  const call: TestProvider['call'] = (method, path, rest) => callProvider(running.url, method, path, rest);
  const provider: TestProvider = {
    get url() {
      return running.url;
    },
    errors,
    call,
    pay: (key, order = {}, rest = {}) =>
      call('POST', '/transfers', {
        ...rest,
        body: { ...ORDER, ...order },
        headers: { 'idempotency-key': key, ...rest.headers },
      }),
    async plan(plan) {
      const reply = await call('PUT', '/faults', { body: plan });
      if (reply.status !== 204) throw new Error(`The plan was refused: ${JSON.stringify(reply.body)}`);
    },
    async restart() {
      await running.close();
      running = await start();
    },
    async close() {
      await running.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
  const items = [
    { id: 'alice', status: 'allowed' },
    { id: 'mallory', status: 'blocked' },
  ];
  await call('PUT', '/recipients', { body: { items } });
  return provider;
}
