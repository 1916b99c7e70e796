/** The sandbox provider from an auditor's side, who is also the one who makes it misbehave. */
import { sleep } from '../../../libs/client/backoff.js';

export interface ProviderTransfer {
  readonly id: string;
  readonly key: string;
  readonly amountMinor: number;
  readonly recipient: string;
  readonly reference: string;
  readonly refunded: boolean;
}

export interface ProviderAudit {
  readonly currencies: readonly { readonly currency: string; readonly isConserved: boolean }[];
  readonly paidTwice: { readonly keys: number; readonly first: readonly string[] };
  readonly faults: Readonly<Record<string, number>>;
  readonly inFlight: number;
}

export interface SandboxProvider {
  put(path: '/recipients' | '/faults', body: object): Promise<void>;
  audit(): Promise<ProviderAudit>;
  /** All of them, oldest first. */
  transfers(): Promise<ProviderTransfer[]>;
}

const TRIES_MAX = 40;
const TRY_AGAIN_AFTER_MS = 500;
const TIMEOUT_MS = 10_000;
const PAGE = 1_000;
const PAGES_MAX = 1_000;

/** Asks again while the provider is being restarted. */
export function sandboxProvider(url: string, key: string): SandboxProvider {
  async function call(method: 'GET' | 'PUT', path: string, body?: object): Promise<unknown> {
    for (let tries = 1; ; tries += 1) {
      try {
        const response = await fetch(url + path, {
          method,
          headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          signal: AbortSignal.timeout(TIMEOUT_MS),
        });
        const text = await response.text();
        if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${text}`);
        return text === '' ? undefined : JSON.parse(text);
      } catch (error) {
        if (tries >= TRIES_MAX) throw error;
        await sleep(TRY_AGAIN_AFTER_MS);
      }
    }
  }
  return {
    async put(path, body) {
      await call('PUT', path, body);
    },
    audit: async () => (await call('GET', '/audit')) as ProviderAudit,
    async transfers() {
      const all: ProviderTransfer[] = [];
      let cursor = '0';
      for (let page = 0; page < PAGES_MAX; page += 1) {
        const { items, nextCursor } = (await call('GET', `/transfers?cursor=${cursor}&limit=${PAGE}`)) as {
          items: ProviderTransfer[];
          nextCursor: string | null;
        };
        all.push(...items);
        if (nextCursor === null) return all;
        cursor = nextCursor;
      }
      throw new Error(`There are more than ${PAGE * PAGES_MAX} transfers.`);
    },
  };
}
