import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createPaymentProvider, type PaymentProvider } from '../../../activities/payout/provider.client.js';
import type { FaultMode } from '../../../apps/sandbox-provider/fault-plan.schema.js';
import { toFailure, type Failure } from '../../../libs/saga/failure.js';
import {
  createTestProvider,
  PROVIDER_KEY,
  type TestProvider,
} from '../../apps/sandbox-provider/provider.setup.js';
import { freePort } from '../../support/ports.js';

const CALL_MS_MAX = 400;
const ORDER = { amountMinor: 500, currency: 'EUR', recipient: 'alice', reference: 'batch 1, item 0' };
const KEY = '0198-job/pay/0';
const never = new AbortController().signal;

let sandbox: TestProvider;
let provider: PaymentProvider;
const others: (() => Promise<void>)[] = [];

beforeEach(async () => {
  sandbox = await createTestProvider();
  provider = createPaymentProvider({ url: sandbox.url, key: PROVIDER_KEY, callMsMax: CALL_MS_MAX });
});
afterEach(async () => {
  for (const close of others.splice(0)) await close();
  await provider.close();
  await sandbox.close();
});

const pay = (signal = never, order = {}) => provider.transfer({ key: KEY, ...ORDER, ...order }, signal);
async function failureOf(call: Promise<unknown>): Promise<Failure> {
  const error = await call.then(
    () => Promise.reject(new Error('The call succeeded')),
    (reason: unknown) => reason,
  );
  return toFailure(error, 'unknown');
}
const paid = async (): Promise<number> => {
  const { body } = await sandbox.call('GET', '/transfers');
  return (body as { items: unknown[] }).items.length;
};
/** A client of a server that answers as told. */
async function clientOf(listener: RequestListener, path = ''): Promise<PaymentProvider> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
  const client = createPaymentProvider({ url, key: 'other', callMsMax: CALL_MS_MAX });
  others.push(async () => {
    await client.close();
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return client;
}

it('pays, and the same key again is the same transfer', async () => {
  const transfer = await pay();
  expect(transfer).toMatchObject({ key: KEY, amountMinor: 500, currency: 'EUR', recipient: 'alice' });
  expect(await pay()).toEqual(transfer);
  expect(await provider.closeKey(KEY, never)).toEqual(transfer);
  expect(await paid()).toBe(1);
});

it('knows what was not paid, and closes its key for good', async () => {
  expect(await provider.closeKey(KEY, never)).toBeUndefined();
  expect(await failureOf(pay())).toMatchObject({ class: 'rejected', code: 'idempotency_key_burnt' });
  expect(await paid()).toBe(0);
});

it('screens', async () => {
  const screened = await Promise.all(
    ['alice', 'mallory', 'no/body'].map((recipient) => provider.screen(recipient, never)),
  );
  expect(screened).toEqual(['allowed', 'blocked', 'unknown']);
});

describe('a transfer that goes wrong', () => {
  const transient = { class: 'transient', certainty: 'unknown' };
  const cases: Readonly<Record<Exclude<FaultMode, 'slow'>, object>> = {
    error_before: { ...transient, code: 'internal_error' },
    error_after: { ...transient, code: 'internal_error' },
    drop_before: transient,
    drop_after: transient,
    cut_after: transient,
    too_many: { class: 'transient', certainty: 'no', code: 'too_many_requests', retryAfterMs: 3_000 },
    reject: { class: 'rejected', certainty: 'no', code: 'rejected_by_policy' },
    hang_before: { ...transient, code: 'timeout' },
    hang_after: { ...transient, code: 'timeout' },
  };
  it.each(Object.entries(cases))('by %s says how, and repeated is paid once', async (mode, expected) => {
    await sandbox.plan({ retryAfterSeconds: 3, rules: [{ match: { recipient: 'alice' }, mode }] });
    expect(await failureOf(pay())).toMatchObject(expected);
    await expect.poll(async () => (await pay()).amountMinor).toBe(500);
    expect(await paid()).toBe(1);
  });

  it('while the first is in flight is told to wait', async () => {
    await sandbox.plan({ slowMs: 3_000, rules: [{ match: { recipient: 'alice' }, mode: 'slow' }] });
    expect(await failureOf(pay())).toMatchObject({ ...transient, code: 'timeout' });
    const waits = { ...transient, code: 'idempotency_in_flight', retryAfterMs: 1_000 };
    expect(await failureOf(pay())).toMatchObject(waits);
    const certain = { class: 'transient', certainty: 'no', code: 'idempotency_in_flight' };
    expect(await failureOf(provider.closeKey(KEY, never))).toMatchObject(certain);
  });

  it('because of the order is a business no', async () => {
    expect(await failureOf(pay(never, { recipient: 'mallory' }))).toMatchObject({
      class: 'rejected',
      code: 'recipient_blocked',
    });
  });

  it('because its key came with another order parks: something may have been paid', async () => {
    await pay();
    expect(await failureOf(pay(never, { amountMinor: 501 }))).toMatchObject({
      class: 'bug',
      code: 'idempotency_key_reused',
    });
  });

  it('because of our own key parks', async () => {
    const stranger = createPaymentProvider({ url: sandbox.url, key: 'wrong' });
    others.push(() => stranger.close());
    const failure = await failureOf(stranger.transfer({ key: KEY, ...ORDER }, never));
    expect(failure).toMatchObject({ class: 'bug', certainty: 'no', code: 'unauthorized' });
  });

  it('because nobody listens certainly did nothing', async () => {
    const nobody = createPaymentProvider({ url: `http://127.0.0.1:${await freePort()}`, key: 'any' });
    others.push(() => nobody.close());
    const failure = await failureOf(nobody.transfer({ key: KEY, ...ORDER }, never));
    expect(failure).toMatchObject({ class: 'transient', certainty: 'no', code: 'econnrefused' });
  });
});

describe('told to end', () => {
  it('before it began, it certainly did nothing', async () => {
    expect(await failureOf(pay(AbortSignal.abort()))).toMatchObject({ code: 'aborted', certainty: 'no' });
    expect(await paid()).toBe(0);
  });

  it('in the middle of it, it ends at once and leaves it in doubt', async () => {
    await sandbox.plan({ rules: [{ match: { recipient: 'alice' }, mode: 'hang_after' }] });
    const stop = new AbortController();
    const patient = createPaymentProvider({ url: sandbox.url, key: PROVIDER_KEY });
    others.push(() => patient.close());
    const failure = failureOf(patient.transfer({ key: KEY, ...ORDER }, stop.signal));
    await expect.poll(paid).toBe(1);
    stop.abort(new Error('the box is over'));
    expect(await failure).toMatchObject({ class: 'transient', certainty: 'unknown', code: 'aborted' });
  });
});

describe('an answer that is not to be believed', () => {
  const answering =
    (status: number, body: string, headers = {}): RequestListener =>
    (_request, response) =>
      response.writeHead(status, headers).end(body);
  const transfer = { id: 'tr_1', key: KEY, ...ORDER };
  const doubt = { class: 'transient', certainty: 'unknown' };

  it.each([
    ['of another amount', JSON.stringify({ ...transfer, amountMinor: 5_000 })],
    ['to another recipient', JSON.stringify({ ...transfer, recipient: 'bob' })],
    ['of fractions', JSON.stringify({ ...transfer, amountMinor: 0.5 })],
    ['without an id', JSON.stringify({ ...transfer, id: undefined })],
    ['that is no JSON', '<html>'],
    ['that has no end', JSON.stringify({ ...transfer, padding: 'x'.repeat(70_000) })],
  ])('%s leaves it in doubt', async (_name, body) => {
    const other = await clientOf(answering(201, body));
    expect(await failureOf(other.transfer({ key: KEY, ...ORDER }, never))).toMatchObject(doubt);
  });

  it('that points elsewhere is not followed', async () => {
    let asked = 0;
    const other = await clientOf((request, response) => {
      asked += 1;
      answering(307, '', { location: `http://127.0.0.1/elsewhere${request.url}` })(request, response);
    });
    expect(await failureOf(other.transfer({ key: KEY, ...ORDER }, never))).toMatchObject({ class: 'bug' });
    expect(asked).toBe(1);
  });

  it('that is a proxy’s page is known by its status', async () => {
    const other = await clientOf(answering(502, '<html>bad gateway</html>'));
    expect(await failureOf(other.transfer({ key: KEY, ...ORDER }, never))).toMatchObject({
      ...doubt,
      code: 'http_502',
    });
  });

  it('404 closes no key', async () => {
    const other = await clientOf(answering(404, '{}'));
    expect(await failureOf(other.closeKey(KEY, never))).toMatchObject({ class: 'transient' });
  });

  it('to a look leaves no doubt behind', async () => {
    const other = await clientOf(answering(503, '', { 'retry-after': '2' }));
    const waits = { class: 'transient', certainty: 'no', retryAfterMs: 2_000 };
    expect(await failureOf(other.closeKey(KEY, never))).toMatchObject(waits);
    expect(await failureOf(other.screen('alice', never))).toMatchObject(waits);
  });

  it('comes from below the provider’s path, with its key', async () => {
    const seen: unknown[] = [];
    const other = await clientOf((request, response) => {
      seen.push([
        request.method,
        request.url,
        request.headers.authorization,
        request.headers['idempotency-key'],
      ]);
      answering(201, JSON.stringify(transfer))(request, response);
    }, '/v1/');
    await other.transfer({ key: KEY, ...ORDER }, never);
    expect(seen).toEqual([['POST', '/v1/transfers', 'Bearer other', KEY]]);
  });
});

it('many calls at once share connections and are all answered', async () => {
  const patient = createPaymentProvider({ url: sandbox.url, key: PROVIDER_KEY });
  others.push(() => patient.close());
  const keys = Array.from({ length: 100 }, (_, number) => `many/${number}`);
  const transfers = await Promise.all(keys.map((key) => patient.transfer({ key, ...ORDER }, never)));
  expect(new Set(transfers.map(({ id }) => id)).size).toBe(100);
});
