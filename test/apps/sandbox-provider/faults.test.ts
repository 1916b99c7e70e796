import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FaultMode } from '../../../apps/sandbox-provider/fault-plan.schema.js';
import { FAULT_MODES } from '../../../apps/sandbox-provider/fault-plan.schema.js';
import { createTestProvider, keyPath, type Reply, type TestProvider } from './provider.setup.js';

let provider: TestProvider;
beforeEach(async () => {
  provider = await createTestProvider();
});
afterEach(async () => {
  await provider.close();
  expect(provider.errors).toEqual([]);
});

interface Audit {
  readonly currencies: {
    currency: string;
    transfers: number;
    transferredMinor: number;
    isConserved: boolean;
  }[];
  readonly paidTwice: { keys: number; first: string[] };
  readonly burntKeys: number;
  readonly requests: Record<string, number>;
  readonly faults: Record<string, number>;
  readonly inFlight: number;
}
const audit = async (): Promise<Audit> => (await provider.call('GET', '/audit')).body as Audit;
const euros = async () => (await audit()).currencies.find(({ currency }) => currency === 'EUR');
const rule = (mode: FaultMode, more: object = {}): object => ({
  rules: [{ match: { recipient: 'alice' }, mode, ...more }],
});

/** What the caller sees of each mode, and whether it was paid. */
const expected: Readonly<Record<FaultMode, { seen: number | 'broken' | 'silent'; paid: boolean }>> = {
  slow: { seen: 201, paid: true },
  error_before: { seen: 500, paid: false },
  error_after: { seen: 500, paid: true },
  drop_before: { seen: 'broken', paid: false },
  drop_after: { seen: 'broken', paid: true },
  cut_after: { seen: 'broken', paid: true },
  too_many: { seen: 429, paid: false },
  reject: { seen: 422, paid: false },
  hang_before: { seen: 'silent', paid: false },
  hang_after: { seen: 'silent', paid: true },
};
const PATIENCE_MS = 300;

/** The status, `broken` for a broken connection, `silent` where patience ran out. */
async function seenOf(reply: (signal: AbortSignal) => Promise<Reply>): Promise<number | 'broken' | 'silent'> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  try {
    return (await reply(signal)).status;
  } catch (error) {
    return signal.aborted && error === signal.reason ? 'silent' : 'broken';
  }
}

describe.each(FAULT_MODES)('%s', (mode) => {
  it('does what it says, once, and the same request again is paid once', async () => {
    await provider.plan({ ...rule(mode), slowMs: 50, retryAfterSeconds: 7 });
    expect(await seenOf((signal) => provider.pay('k', {}, { signal }))).toBe(expected[mode].seen);
    await expect.poll(async () => (await audit()).inFlight).toBe(0);
    expect((await provider.call('GET', keyPath('k'))).status).toBe(expected[mode].paid ? 200 : 404);
    expect((await audit()).faults).toEqual({ [mode]: 1 });

    expect((await provider.pay('k')).status).toBe(expected[mode].paid ? 200 : 201);
    expect(await euros()).toMatchObject({ transfers: 1, transferredMinor: 500, isConserved: true });
    expect(await audit()).toMatchObject({ faults: { [mode]: 1 }, paidTwice: { keys: 0 } });
  });

  it('happens to the other routes, too', async () => {
    const on = (route: string, match: object): object => ({ on: route, match, mode });
    await provider.plan({
      slowMs: 50,
      rules: [
        on('find', { key: 'job/pay' }),
        on('burn', { key: 'job/pay' }),
        on('screen', { recipient: 'alice' }),
        on('refund', { nth: 1 }),
      ],
    });
    const { body } = await provider.pay('other');
    const calls: readonly [string, string][] = [
      ['GET', keyPath('job/pay')],
      ['DELETE', keyPath('job/pay')],
      ['GET', '/recipients/alice'],
      ['POST', `/transfers/${(body as { id: string }).id}/refund`],
    ];
    const { seen } = expected[mode];
    for (const [method, path] of calls) {
      const first = await seenOf((signal) => provider.call(method, path, { signal }));
      if (seen === 201) expect([200, 201, 404]).toContain(first);
      else expect(first).toBe(seen);
      // A rule's times are over: the next one is answered.
      expect([200, 201, 404]).toContain(await seenOf((signal) => provider.call(method, path, { signal })));
    }
    expect((await audit()).faults).toEqual({ [mode]: 4 });
  });
});

it('a late effect comes although nobody waits for it any more', async () => {
  await provider.plan({ ...rule('slow'), slowMs: 600 });
  expect(await seenOf((signal) => provider.pay('k', {}, { signal }))).toBe('silent');
  expect((await euros())?.transfers).toBe(0);
  expect((await provider.call('GET', keyPath('k'))).status).toBe(409);
  await expect.poll(async () => (await euros())?.transfers, { timeout: 5_000 }).toBe(1);
});

it('a hanging request holds its key until its caller gives up', async () => {
  await provider.plan(rule('hang_before'));
  const stop = new AbortController();
  const hanging = provider.pay('k', {}, { signal: stop.signal }).catch(() => 'gone');
  await expect.poll(async () => (await audit()).inFlight).toBe(1);
  expect((await provider.pay('k')).status).toBe(409);
  stop.abort();
  expect(await hanging).toBe('gone');
  await expect.poll(async () => (await provider.pay('k')).status).toBe(201);
});

it('429 says how long to wait', async () => {
  await provider.plan({ ...rule('too_many'), retryAfterSeconds: 7 });
  expect((await provider.pay('k')).headers.get('retry-after')).toBe('7');
});

it('without duplicate detection it really pays twice, and the audit sees it', async () => {
  await provider.plan({ duplicateDetection: false, ...rule('error_after') });
  expect((await provider.pay('k')).status).toBe(500);
  expect((await provider.pay('k')).status).toBe(201);
  expect(await euros()).toMatchObject({ transfers: 2, transferredMinor: 1_000, isConserved: true });
  expect((await audit()).paidTwice).toEqual({ keys: 1, first: ['k'] });

  await provider.plan({});
  expect((await provider.pay('k')).headers.get('idempotent-replayed')).toBe('true');
  expect((await euros())?.transfers).toBe(2);
});

describe('a plan', () => {
  it('decides by the first rule that matches and has times left', async () => {
    await provider.plan({
      rules: [
        { match: { recipient: 'alice', reference: 'special' }, mode: 'reject', times: 2 },
        { match: { nth: 4 }, mode: 'too_many' },
        { match: { key: 'k5' }, mode: 'error_before' },
      ],
    });
    const special = { reference: 'special' };
    const statuses = [
      (await provider.pay('k1')).status,
      (await provider.pay('k2', special)).status,
      (await provider.pay('k2', special)).status,
      (await provider.pay('k2', special)).status,
      (await provider.pay('k2', special)).status,
      (await provider.pay('k5')).status,
      (await provider.pay('k5')).status,
    ];
    expect(statuses).toEqual([201, 422, 422, 429, 201, 500, 201]);
    expect((await provider.call('GET', '/faults')).body).toMatchObject({ used: [2, 1, 1] });
  });

  it('of probabilities goes wrong the same way again, in whatever order requests come', async () => {
    const probabilities = { error_before: 0.3, error_after: 0.2, too_many: 0.1 };
    const keys = Array.from({ length: 60 }, (_, number) => `k${number}`);
    const run = async (seed: number, order: readonly string[]): Promise<Record<string, number>> => {
      await provider.plan({ seed, probabilities });
      const seen: Record<string, number> = {};
      const payEach = order.map(async (key) => {
        const { status } = await provider.pay(key);
        seen[key] = status === 200 ? 201 : status;
      });
      await Promise.all(payEach);
      return seen;
    };
    const first = await run(7, keys);
    expect(await run(7, [...keys].reverse())).toEqual(first);
    expect(await run(8, keys)).not.toEqual(first);
    const wrong = Object.values(first).filter((status) => status !== 201).length;
    expect(wrong).toBeGreaterThan(20);
    expect(wrong).toBeLessThan(50);
  });

  it('gives a retried request another chance', async () => {
    await provider.plan({ seed: 1, probabilities: { error_before: 0.5 } });
    const statuses = new Set<number>();
    for (let attempt = 0; attempt < 20; attempt++) statuses.add((await provider.pay('k')).status);
    expect(statuses).toContain(500);
    expect(statuses.size).toBeGreaterThan(1);
  });

  it.each([
    { probabilities: { slow: 0.6, reject: 0.6 } },
    { probabilities: { unheard_of: 0.1 } },
    { rules: [{ match: {}, mode: 'slow' }] },
    { rules: [{ match: { nth: 0 }, mode: 'slow' }] },
    { unknown: true },
  ])('%j is refused, and the one before stays', async (plan) => {
    await provider.plan(rule('reject'));
    expect((await provider.call('PUT', '/faults', { body: plan })).status).toBe(422);
    expect((await provider.pay('k')).status).toBe(422);
  });
});
