import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestProvider, keyPath, type TestProvider } from './provider.setup.js';

let provider: TestProvider;
beforeEach(async () => {
  provider = await createTestProvider();
});
afterEach(async () => {
  await provider.close();
  expect(provider.errors).toEqual([]);
});

const balance = async (): Promise<number> => {
  const { body } = await provider.call('GET', '/balance');
  return (body as { items: { currency: string; balanceMinor: number }[] }).items.find(
    ({ currency }) => currency === 'EUR',
  )?.balanceMinor as number;
};

describe('a transfer', () => {
  it('is paid, and repeated under its key it is the same one', async () => {
    const before = await balance();
    const first = await provider.pay('job/pay/0');
    expect(first).toMatchObject({
      status: 201,
      body: { amountMinor: 500, recipient: 'alice', refunded: false },
    });
    expect(first.headers.get('idempotent-replayed')).toBeNull();
    const again = await provider.pay('job/pay/0');
    expect(again).toMatchObject({ status: 200, body: first.body as object });
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(before - (await balance())).toBe(500);
  });

  it('with another body under a known key is refused', async () => {
    await provider.pay('k');
    const other = await provider.pay('k', { amountMinor: 501 });
    expect(other).toMatchObject({ status: 422, body: { error: { code: 'idempotency_key_reused' } } });
  });

  it.each([
    [{ recipient: 'mallory' }, 'recipient_blocked'],
    [{ recipient: 'nobody' }, 'recipient_unknown'],
    [{ currency: 'XXX' }, 'currency_unknown'],
    [{ amountMinor: 1_000_000_000_000, reference: 'one' }, undefined],
  ])('of %j is answered %s', async (order, code) => {
    const before = await balance();
    const reply = await provider.pay('k', order);
    if (code === undefined) {
      expect(reply.status).toBe(201);
      expect(await provider.pay('k2')).toMatchObject({
        status: 422,
        body: { error: { code: 'insufficient_funds' } },
      });
      return;
    }
    expect(reply).toMatchObject({ status: 422, body: { error: { code } } });
    expect(await balance()).toBe(before);
  });

  it('that was refused may be tried again under its key', async () => {
    expect(await provider.pay('k', { recipient: 'bob' })).toMatchObject({ status: 422 });
    await provider.call('PUT', '/recipients', { body: { items: [{ id: 'bob', status: 'allowed' }] } });
    expect(await provider.pay('k', { recipient: 'bob' })).toMatchObject({ status: 201 });
  });

  it.each([
    { amountMinor: 1.5 },
    { amountMinor: 0 },
    { amountMinor: '5' },
    { currency: 'eur' },
    { extra: 1 },
  ])('of %j is no order', async (order) => {
    expect(await provider.pay('k', order)).toMatchObject({
      status: 422,
      body: { error: { code: 'invalid_request' } },
    });
  });

  it('wants a key, and a caller it knows', async () => {
    const nameless = await provider.call('POST', '/transfers', { body: {} });
    expect(nameless).toMatchObject({ status: 400, body: { error: { code: 'idempotency_key_missing' } } });
    const stranger = await provider.pay('k', {}, { headers: { authorization: 'Bearer nobody' } });
    expect(stranger.status).toBe(401);
    expect((await fetch(`${provider.url}/healthz`)).status).toBe(200);
  });

  it('is refused when its body is no JSON, or too long', async () => {
    expect((await provider.call('POST', '/transfers', { body: '{' })).status).toBe(400);
    const long = JSON.stringify('x'.repeat(2 * 1024 * 1024));
    expect((await provider.call('POST', '/transfers', { body: long })).status).toBe(413);
  });
});

describe('a key', () => {
  it('is found once it has paid, and is certainly unused before', async () => {
    expect((await provider.call('GET', keyPath('job/pay/0'))).status).toBe(404);
    const { body } = await provider.pay('job/pay/0');
    expect(await provider.call('GET', keyPath('job/pay/0'))).toMatchObject({
      status: 200,
      body: body as object,
    });
  });

  it('that is burnt pays nothing any more', async () => {
    expect(await provider.call('DELETE', keyPath('k'))).toMatchObject({ status: 200, body: { burnt: true } });
    expect(await provider.call('DELETE', keyPath('k'))).toMatchObject({ status: 200, body: { burnt: true } });
    expect(await provider.pay('k')).toMatchObject({
      status: 410,
      body: { error: { code: 'idempotency_key_burnt' } },
    });
    expect((await provider.call('GET', keyPath('k'))).status).toBe(404);
  });

  it('that has paid cannot be burnt, and says what it paid', async () => {
    const { body } = await provider.pay('k');
    expect(await provider.call('DELETE', keyPath('k'))).toMatchObject({
      body: { burnt: false, transfer: body as object },
    });
    expect((await provider.pay('k')).status).toBe(200);
  });

  it('that is in flight is neither used, found nor burnt', async () => {
    await provider.plan({ slowMs: 400, rules: [{ match: { key: 'k' }, mode: 'slow' }] });
    const slow = provider.pay('k');
    await expect
      .poll(async () => ((await provider.call('GET', '/audit')).body as { inFlight: number }).inFlight)
      .toBe(1);
    const rivals = await Promise.all([
      provider.pay('k'),
      provider.call('GET', keyPath('k')),
      provider.call('DELETE', keyPath('k')),
    ]);
    for (const rival of rivals) {
      expect(rival).toMatchObject({ status: 409, body: { error: { code: 'idempotency_in_flight' } } });
      expect(rival.headers.get('retry-after')).toBe('1');
    }
    expect((await slow).status).toBe(201);
    expect((await provider.pay('k')).status).toBe(200);
  });
});

describe('a refund', () => {
  it('gives all of it back, once', async () => {
    const before = await balance();
    const { body } = await provider.pay('k');
    const path = `/transfers/${(body as { id: string }).id}/refund`;
    const first = await provider.call('POST', path);
    const again = await provider.call('POST', path);
    expect(first).toMatchObject({ status: 201, body: { amountMinor: 500 } });
    expect(again).toMatchObject({ status: 200, body: first.body as object });
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(await balance()).toBe(before);
    expect((await provider.call('GET', keyPath('k'))).body).toMatchObject({ refunded: true });
  });

  it('of what was never paid is refused', async () => {
    expect((await provider.call('POST', '/transfers/tr_none/refund')).status).toBe(404);
  });
});

describe('reading', () => {
  it('screens recipients', async () => {
    expect(await provider.call('GET', '/recipients/alice')).toMatchObject({
      status: 200,
      body: { status: 'allowed' },
    });
    expect(await provider.call('GET', '/recipients/mallory')).toMatchObject({ body: { status: 'blocked' } });
    expect((await provider.call('GET', '/recipients/nobody')).status).toBe(404);
  });

  it('lists every transfer in order, page by page', async () => {
    for (let number = 0; number < 5; number++) await provider.pay(`k${number}`);
    const keys: string[] = [];
    let cursor: string | null = '0';
    while (cursor !== null) {
      const { body } = await provider.call('GET', `/transfers?limit=2&cursor=${cursor}`);
      const page = body as { items: { key: string }[]; nextCursor: string | null };
      keys.push(...page.items.map(({ key }) => key));
      cursor = page.nextCursor;
    }
    expect(keys).toEqual(['k0', 'k1', 'k2', 'k3', 'k4']);
    expect((await provider.call('GET', '/transfers?limit=0')).status).toBe(422);
  });

  it('knows its routes, and no others', async () => {
    expect((await provider.call('GET', '/nothing')).status).toBe(404);
    expect((await provider.call('DELETE', '/transfers')).status).toBe(404);
  });

  it('finds everything again after a restart', async () => {
    await provider.plan({ rules: [{ match: { reference: 'x' }, mode: 'reject', times: 2 }] });
    const { body } = await provider.pay('k');
    await provider.pay('other', { reference: 'x' });
    await provider.call('DELETE', keyPath('burnt'));
    await provider.restart();
    expect(await provider.pay('k')).toMatchObject({ status: 200, body: body as object });
    expect((await provider.pay('burnt')).status).toBe(410);
    expect((await provider.call('GET', '/faults')).body).toMatchObject({ used: [1] });
    expect((await provider.pay('other', { reference: 'x' })).status).toBe(422);
    expect((await provider.pay('other', { reference: 'x' })).status).toBe(201);
  });
});
