/** Webhooks from the API to endpoints on this machine: the steps run as a worker would run them, on its role. */
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { WebhookResources } from '../../../activities/resources.js';
import { createOutcomeRecorder } from '../../../activities/webhook/outcome-recorder.js';
import { webhookCallback as implementCallback } from '../../../activities/webhook/webhook-callback.js';
import { webhookFanout as implementFanout } from '../../../activities/webhook/webhook-fanout.js';
import { webhookResend as implementResend } from '../../../activities/webhook/webhook-resend.js';
import type { Delivery, EndpointWithSecret } from '../../../apps/api/webhooks/webhook.schema.js';
import { Deferred } from '../../../libs/saga/failure.js';
import { createChildJobs } from '../../../libs/store/child-jobs.store.js';
import { inTenant } from '../../../libs/store/database.js';
import { createJobInputs } from '../../../libs/store/job-input.store.js';
import { createSealSecret } from '../../../libs/webhooks/callback-secrets.store.js';
import { createDeliveryClient } from '../../../libs/webhooks/delivery.client.js';
import { createDestinations } from '../../../libs/webhooks/destination.js';
import { createGate } from '../../../libs/webhooks/gate.js';
import { createPaces } from '../../../libs/webhooks/paces.js';
import { createSigningKeys } from '../../../libs/webhooks/signing-keys.js';
import { targetPolicy } from '../../../libs/webhooks/target.js';
import { webhookCallback } from '../../../workflows/webhook-callback.job.js';
import { WebhookEvent } from '../../../workflows/webhook-event.js';
import { webhookFanout } from '../../../workflows/webhook-fanout.job.js';
import { webhookResend } from '../../../workflows/webhook-resend.job.js';
import { startReceivers, type Receivers } from '../../support/webhook-receivers.js';
import { runStep } from './steps.js';
import { FakeWorker, freshNote, startTestApi, type TestApi } from './support.js';

const LOOPBACK = ['127.0.0.0/8'];
const RETRY_WAITS_MS = [5_000, 300_000];

let t: TestApi;
let receivers: Receivers;
let resources: WebhookResources;

beforeAll(async () => {
  receivers = await startReceivers();
  t = await startTestApi({}, { webhooks: { allowedNetworks: LOOPBACK, retryWaitsMs: RETRY_WAITS_MS } });
  const loadInput = createJobInputs(t.worker, t.cipher, (_, input) => input);
  resources = {
    database: t.worker,
    webhooks: {
      client: createDeliveryClient({ policy: targetPolicy(LOOPBACK), deliveryMsMax: 300 }),
      keys: createSigningKeys(t.cipher),
      destinations: createDestinations(),
      gate: createGate(),
      paces: createPaces(),
      recorder: createOutcomeRecorder(t.worker, createChildJobs(t.worker, t.cipher)),
      retryWaitsMs: RETRY_WAITS_MS,
      loadEvent: async (job) => WebhookEvent.parse(await loadInput(job)),
      sealSecret: createSealSecret(t.cipher),
      publicUrl: t.settings.publicUrl,
    },
  };
});
afterAll(async () => {
  await resources.webhooks.client.close();
  await t.close();
  await receivers.close();
});

/** An endpoint of this test alone, at a receiver of that name. */
async function register(type: string, name = randomUUID(), wish: object = {}): Promise<EndpointWithSecret> {
  const json = { url: receivers.url(name), eventTypes: [type], ...wish };
  const answer = await t.call('POST', '/webhook-endpoints', { json });
  expect(answer.status, answer.text).toBe(201);
  return answer.json as unknown as EndpointWithSecret;
}

const newType = (): string => `test.${randomUUID().replaceAll('-', '')}`;
const nameOf = ({ url }: { url: string }): string => new URL(url).pathname.slice(1);

async function submit(type: string, data: object = { n: 1 }): Promise<string> {
  const answer = await t.call('POST', '/webhook-events', { json: { event: randomUUID(), type, data } });
  expect(answer.status, answer.text).toBe(202);
  return answer.json.id;
}

type Kind = 'fanout' | 'resend' | 'callback';

/** Runs a step of a job as a worker does. */
function run(jobId: string, name: string, kind: Kind = 'fanout'): Promise<unknown> {
  const implemented = {
    fanout: { definition: webhookFanout, implementation: implementFanout(resources) },
    resend: { definition: webhookResend, implementation: implementResend(resources) },
    callback: { definition: webhookCallback, implementation: implementCallback(resources) },
  };
  return runStep(t, implemented[kind], name, jobId);
}

/** The result of the step `deliver`, or how long it was put off. */
const deliver = (jobId: string, kind?: Kind): Promise<unknown> =>
  run(jobId, 'deliver', kind).catch((error: unknown) => {
    if (error instanceof Deferred) return error.deferMs;
    throw error;
  });

async function send(type: string, data?: object): Promise<{ jobId: string; came: unknown }> {
  const jobId = await submit(type, data);
  return { jobId, came: await begin(jobId) };
}

/** Its first round and, where something is open then, what becomes of it at once. */
async function begin(jobId: string): Promise<unknown> {
  const { open, ...settled } = (await run(jobId, 'send')) as { open: number };
  return open === 0 ? settled : deliver(jobId);
}

async function deliveriesOf(jobId: string): Promise<Delivery[]> {
  const answer = await t.call('GET', `/jobs/${jobId}/deliveries`);
  return answer.json.items as unknown as Delivery[];
}

/** Lets so much time pass for a job's deliveries, and for the endpoints. */
async function letPass(jobId: string, interval: string): Promise<void> {
  await t.owner.query(
    `update longhaul.webhook_deliveries set due_at = due_at - $2::interval where job_id = $1`,
    [jobId, interval],
  );
  await t.owner.query(
    `update longhaul.webhook_endpoints set open_until = open_until - $1::interval,
       failing_since = failing_since - $1::interval, previous_until = previous_until - $1::interval`,
    [interval],
  );
}

describe('endpoints', () => {
  test('are registered with a secret that is shown once, listed, changed and deleted', async () => {
    const made = await register(newType(), undefined, { description: 'books', ratePerSecond: 5 });
    expect(made.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const path = `/webhook-endpoints/${made.id}`;
    const { secret: _secret, ...shown } = made;
    expect((await t.call('GET', path)).json).toEqual(shown);
    const listed = await t.call('GET', '/webhook-endpoints?limit=1');
    expect(listed.json.items[0]).toEqual(shown);
    const changed = await t.call('PATCH', path, { json: { status: 'disabled', ratePerSecond: null } });
    expect(changed.json).toMatchObject({ status: 'disabled', disabledReason: 'owner', ratePerSecond: null });
    expect((await t.call('PATCH', path, { json: { status: 'enabled' } })).json).toMatchObject({
      status: 'enabled',
      disabledReason: null,
      description: 'books',
    });
    expect((await t.call('DELETE', path)).status).toBe(204);
    expect((await t.call('GET', path)).json.code).toBe('webhook_endpoint_not_found');
  });

  test('of one URL are one, and another tenant sees none of them', async () => {
    const { url, id } = await register(newType());
    const again = await t.call('POST', '/webhook-endpoints', { json: { url, eventTypes: ['*'] } });
    expect([again.status, again.json.code]).toEqual([409, 'webhook_endpoint_exists']);
    const other = await register(newType());
    const taken = await t.call('PATCH', `/webhook-endpoints/${other.id}`, { json: { url } });
    expect(taken.json.code).toBe('webhook_endpoint_exists');
    for (const [method, tail] of [
      ['GET', ''],
      ['DELETE', ''],
      ['GET', '/deliveries'],
      ['POST', '/rotate-secret'],
      ['POST', '/test'],
    ] as const) {
      const answer = await t.call(method, `/webhook-endpoints/${id}${tail}`, { key: t.rival.key });
      expect([answer.status, answer.json.code]).toEqual([404, 'webhook_endpoint_not_found']);
    }
  });

  test('at addresses that webhooks may not go to are refused with the reason', async () => {
    const json = { url: 'https://169.254.169.254/latest', eventTypes: ['a b'] };
    const types = await t.call('POST', '/webhook-endpoints', { json });
    expect(types.json.errors.map(({ pointer }) => pointer)).toEqual(['/eventTypes/0']);
    const address = await t.call('POST', '/webhook-endpoints', { json: { ...json, eventTypes: ['*'] } });
    expect(address.json.errors).toEqual([
      { pointer: '/url', detail: '169.254.169.254 is a cloud’s metadata service' },
    ]);
  });

  test('keep their secrets sealed', async () => {
    const { secret, id } = await register(newType());
    const { rows } = await t.owner.query<{ row: string }>(
      'select e::text as row from longhaul.webhook_endpoints e where id = $1',
      [id],
    );
    expect(rows[0]?.row).not.toContain(Buffer.from(secret).toString('hex'));
  });
});

describe('an event', () => {
  test('reaches each endpoint that subscribes to its type once, signed, and no other', async () => {
    const type = newType();
    const [whole, prefix, other] = [
      await register(type),
      await register('test.*'),
      await register(newType()),
    ];
    const { jobId, came } = await send(type, { name: 'Zoë ✓' });
    expect(came).toEqual({ delivered: 2, dead: 0 });
    expect(receivers.got(nameOf(other))).toHaveLength(0);
    for (const endpoint of [whole, prefix]) {
      const [got, ...more] = receivers.got(nameOf(endpoint));
      expect(more).toHaveLength(0);
      expect(got!.headers['webhook-id']).toBe(`msg_${jobId}`);
      const payload = new Webhook(endpoint.secret).verify(got!.body, got!.headers as Record<string, string>);
      expect(payload).toMatchObject({ type, data: { name: 'Zoë ✓' } });
    }
    await t.call('DELETE', `/webhook-endpoints/${prefix.id}`);
  });

  test('of more than 20 kB is refused', async () => {
    const json = { event: 'big', type: 'a.b', data: { text: 'é'.repeat(10_000) } };
    const answer = await t.call('POST', '/webhook-events', { json });
    expect(answer.json.errors).toMatchObject([{ pointer: '/data' }]);
  });

  test('is signed with both secrets for a day after one was changed', async () => {
    const type = newType();
    const before = await register(type);
    const answer = await t.call('POST', `/webhook-endpoints/${before.id}/rotate-secret`);
    const after = answer.json as unknown as EndpointWithSecret;
    const { jobId } = await send(type);
    const [got] = receivers.got(nameOf(before));
    for (const { secret } of [before, after]) {
      expect(() =>
        new Webhook(secret).verify(got!.body, got!.headers as Record<string, string>),
      ).not.toThrow();
    }
    await letPass(jobId, '1 day');
    await send(type);
    const [, later] = receivers.got(nameOf(before));
    const headers = later!.headers as Record<string, string>;
    expect(() => new Webhook(before.secret).verify(later!.body, headers)).toThrow();
    expect(() => new Webhook(after.secret).verify(later!.body, headers)).not.toThrow();
  });

  test('is tried again after 5 s and 5 min under the same id, then given up', async () => {
    const type = newType();
    const endpoint = await register(type);
    receivers.answer(nameOf(endpoint), (response) => response.writeHead(500).end('database is down'));
    const { jobId, came } = await send(type);
    expect(came).toBeGreaterThan(4_900);
    expect(came).toBeLessThan(6_500);
    expect(await deliver(jobId), 'nothing is due').toBeGreaterThan(4_000);
    expect(receivers.got(nameOf(endpoint))).toHaveLength(1);
    await letPass(jobId, '7 seconds');
    expect(await deliver(jobId)).toBeGreaterThan(299_000);
    await letPass(jobId, '6 minutes');
    expect(await deliver(jobId)).toEqual({ delivered: 0, dead: 1 });
    const ids = receivers.got(nameOf(endpoint)).map(({ headers }) => headers['webhook-id']);
    expect(ids).toEqual(Array.from({ length: 3 }, () => `msg_${jobId}`));
    const [delivery] = await deliveriesOf(jobId);
    expect(delivery).toMatchObject({ status: 'dead', reason: 'attempts_exhausted', attempts: 3 });
    expect(delivery!.log).toHaveLength(3);
    expect(delivery!.log[0]).toMatchObject({ status: 500, detail: 'database is down' });
  });

  test.each([
    ['a redirect is not followed, and tried again', 302, { status: 'open' }],
    ['a refusal is not tried again', 400, { status: 'dead', reason: 'http_400' }],
    ['410 gives it up', 410, { status: 'dead', reason: 'gone' }],
  ])('%s', async (_, status, expected) => {
    const type = newType();
    const endpoint = await register(type);
    const location = receivers.url('elsewhere');
    receivers.answer(nameOf(endpoint), (response) => response.writeHead(status, { location }).end());
    const { jobId } = await send(type);
    expect(await deliveriesOf(jobId)).toMatchObject([expected]);
    expect(receivers.got('elsewhere')).toHaveLength(0);
  });

  test('that an endpoint answers with 410 disables it, and its owner is told', async () => {
    const type = newType();
    const [endpoint, watching] = [await register(type), await register('longhaul.*')];
    receivers.answer(nameOf(endpoint), (response) => response.writeHead(410).end());
    const { jobId } = await send(type);
    expect((await t.call('GET', `/webhook-endpoints/${endpoint.id}`)).json).toMatchObject({
      status: 'disabled',
      disabledReason: 'gone',
    });
    expect(await begin(await submit(type))).toEqual({ delivered: 0, dead: 0 });
    const { rows } = await t.owner.query<{ id: string }>(
      'select id from longhaul.jobs where parent_id = $1',
      [jobId],
    );
    await begin(rows[0]!.id);
    const [told] = receivers.got(nameOf(watching));
    expect(JSON.parse(told!.body.toString())).toMatchObject({
      type: 'longhaul.webhook_endpoint.disabled',
      data: { endpoint: endpoint.id, url: endpoint.url, reason: 'gone' },
    });
    await t.call('DELETE', `/webhook-endpoints/${watching.id}`);
  });

  test('that tells of a disabled endpoint makes no further one of those it disables itself', async () => {
    const type = newType();
    const [endpoint, watching] = [await register(type), await register('longhaul.*')];
    for (const { url } of [endpoint, watching])
      receivers.answer(nameOf({ url }), (response) => response.writeHead(410).end());
    const children = async (jobId: string): Promise<string[]> => {
      const { rows } = await t.owner.query<{ id: string }>(
        'select id from longhaul.jobs where parent_id = $1',
        [jobId],
      );
      return rows.map(({ id }) => id);
    };
    const told = await children((await send(type)).jobId);
    expect(told).toHaveLength(1);
    expect(await begin(told[0]!)).toEqual({ delivered: 0, dead: 1 });
    expect((await t.call('GET', `/webhook-endpoints/${watching.id}`)).json).toMatchObject({
      status: 'disabled',
      disabledReason: 'gone',
    });
    expect(await children(told[0]!)).toEqual([]);
  });

  test('gets no more than four at a time to an endpoint that is slow, and the others after them', async () => {
    const type = newType();
    const endpoint = await register(type);
    const held: ServerResponse[] = [];
    let isHolding = true;
    receivers.answer(nameOf(endpoint), (response) => {
      if (isHolding) held.push(response);
      else response.writeHead(204).end();
    });
    const jobIds = await Promise.all(Array.from({ length: 6 }, () => submit(type)));
    resources.webhooks.paces.took(endpoint.id, true);
    const sent = jobIds.map((jobId) => begin(jobId));
    await vi.waitFor(async () => {
      const { rows } = await t.owner.query(
        'select 1 from longhaul.webhook_deliveries where endpoint_id = $1',
        [endpoint.id],
      );
      expect(rows).toHaveLength(6);
      expect(held).toHaveLength(4);
    });
    isHolding = false;
    held.forEach((response) => response.writeHead(204).end());
    expect(await Promise.all(sent)).toEqual(Array.from({ length: 6 }, () => ({ delivered: 1, dead: 0 })));
    expect(held).toHaveLength(4);
  });

  test('for an endpoint that has failed everything for five days is given up', async () => {
    const type = newType();
    const endpoint = await register(type);
    receivers.answer(nameOf(endpoint), (response) => response.writeHead(500).end());
    const { jobId } = await send(type);
    await letPass(jobId, '121 hours');
    await deliver(jobId);
    expect((await t.call('GET', `/webhook-endpoints/${endpoint.id}`)).json).toMatchObject({
      status: 'disabled',
      disabledReason: 'failing',
    });
    await letPass(jobId, '6 minutes');
    expect(await deliver(jobId)).toEqual({ delivered: 0, dead: 1 });
    expect(await deliveriesOf(jobId)).toMatchObject([{ reason: 'endpoint_disabled', attempts: 2 }]);
  });

  test('waits while an endpoint asks for less, and every job heeds it', async () => {
    const type = newType();
    const endpoint = await register(type);
    receivers.answer(nameOf(endpoint), (response, nth) =>
      response.writeHead(nth === 1 ? 503 : 204, { 'retry-after': '60' }).end(),
    );
    const { jobId, came } = await send(type);
    expect(came).toBeGreaterThan(59_000);
    const { came: meanwhile, jobId: another } = await send(type);
    expect(meanwhile).toBeGreaterThan(58_000);
    expect(receivers.got(nameOf(endpoint))).toHaveLength(1);
    await letPass(jobId, '61 seconds');
    expect(await deliver(jobId)).toEqual({ delivered: 1, dead: 0 });
    expect(await deliver(another)).toEqual({ delivered: 1, dead: 0 });
    expect((await t.call('GET', `/webhook-endpoints/${endpoint.id}`)).json).toMatchObject({
      pausedUntil: null,
      failingSince: null,
    });
  });

  test('is not sent to an endpoint that fails again and again, until its pause is over', async () => {
    const type = newType();
    const endpoint = await register(type);
    receivers.answer(nameOf(endpoint), (response) => response.writeHead(500).end());
    for (let failures = 0; failures < 5; failures++) await send(type);
    const { came } = await send(type);
    expect(receivers.got(nameOf(endpoint))).toHaveLength(5);
    expect(came).toBeGreaterThan(9_000);
  });

  test('keeps an endpoint’s rate', async () => {
    const type = newType();
    const endpoint = await register(type, undefined, { ratePerSecond: 1 });
    const first = await send(type);
    const naps = [await send(type), await send(type)].map(({ came }) => came as number);
    expect(first.came).toEqual({ delivered: 1, dead: 0 });
    expect(naps[0]).toBeGreaterThan(500);
    expect(naps[1]! - naps[0]!).toBeGreaterThan(500);
    expect(receivers.got(nameOf(endpoint))).toHaveLength(1);
  });

  test('reaches the others while one does not answer', async () => {
    const type = newType();
    const silent = await register(type);
    receivers.answer(nameOf(silent), () => undefined);
    const others = await Promise.all(Array.from({ length: 100 }, () => register(type)));
    const { jobId } = await send(type);
    for (const other of others) expect(receivers.got(nameOf(other))).toHaveLength(1);
    const states = (await t.call('GET', `/jobs/${jobId}/deliveries?status=open`)).json.items;
    expect(states).toMatchObject([{ endpointId: silent.id, log: [{ code: 'timeout' }] }]);
  });

  test('that another attempt has recorded meanwhile is not recorded twice', async () => {
    const type = newType();
    const endpoint = await register(type);
    receivers.answer(nameOf(endpoint), (response) => setTimeout(() => response.writeHead(204).end(), 50));
    const jobId = await submit(type);
    const both = await Promise.allSettled([begin(jobId), begin(jobId)]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await deliveriesOf(jobId)).toMatchObject([{ status: 'delivered', attempts: 1 }]);
  });

  test('listed by a job that began when that was a step of its own, can be taken back', async () => {
    const type = newType();
    const endpoint = await register(type);
    const jobId = await submit(type);
    await run(jobId, 'enroll');
    const withdraw = implementFanout(resources).undos.withdraw;
    const undo = () =>
      inTenant(t.worker, t.acme.id, (tx) =>
        withdraw(undefined, { tx, job: { id: jobId, tenantId: t.acme.id, kind: '' } } as never),
      );
    expect([await undo(), await undo()]).toEqual(['undone', 'noop']);
    expect(await deliveriesOf(jobId)).toMatchObject([{ status: 'withdrawn' }]);
    expect(receivers.got(nameOf(endpoint))).toHaveLength(0);
  });
});

describe('on demand', () => {
  test('an endpoint gets a test event, whatever it subscribes to', async () => {
    const endpoint = await register(newType());
    const answer = await t.call('POST', `/webhook-endpoints/${endpoint.id}/test`, {
      headers: { 'idempotency-key': endpoint.id },
    });
    expect(answer.status).toBe(202);
    const again = await t.call('POST', `/webhook-endpoints/${endpoint.id}/test`, {
      headers: { 'idempotency-key': endpoint.id },
    });
    expect(again.json.id).toBe(answer.json.id);
    expect(await begin(answer.json.id)).toEqual({ delivered: 1, dead: 0 });
    expect(receivers.got(nameOf(endpoint))).toHaveLength(1);
  });

  test('what was given up is sent again under its id, one event or a range of time', async () => {
    const type = newType();
    const endpoint = await register(type);
    const path = `/webhook-endpoints/${endpoint.id}`;
    receivers.answer(nameOf(endpoint), (response, nth) => response.writeHead(nth <= 2 ? 400 : 204).end());
    const sent = [await send(type), await send(type)].map(({ jobId }) => jobId);
    for (const json of [{ since: new Date(0).toISOString() }, { event: sent[0] }]) {
      const { json: job } = await t.call('POST', `${path}/resend`, { json });
      expect(job.kind).toBe('webhook.resend');
      const count = 'event' in json ? 1 : 2;
      expect(await run(job.id, 'collect', 'resend')).toEqual({ deliveries: count });
      expect(await deliver(job.id, 'resend')).toEqual({ delivered: count, dead: 0 });
    }
    const ids = receivers.got(nameOf(endpoint)).map(({ headers }) => headers['webhook-id']);
    expect(ids.slice(2).sort()).toEqual([sent[0], sent[0], sent[1]].map((id) => `msg_${id}`).sort());
    const listed = await t.call('GET', `${path}/deliveries?limit=1`);
    expect(listed.json.items).toMatchObject([{ jobId: sent[1], status: 'delivered' }]);
    const next = new URL(/<([^>]+)>/.exec(listed.headers.get('link') ?? '')![1]!);
    const second = await t.call('GET', next.pathname + next.search);
    expect(second.json.items).toMatchObject([
      { jobId: sent[0], log: [{ status: 400 }, { status: 204 }, { status: 204 }] },
    ]);
    expect((await t.call('POST', `${path}/resend`, { json: {} })).status).toBe(422);
  });
});

describe('a callback', () => {
  /** A job whose end is told to a receiver of its own. */
  async function withCallback(more: object = {}): Promise<{ name: string; id: string; callback: string }> {
    const name = randomUUID();
    const json = { ...freshNote(), callback: { url: receivers.url(name) }, ...more };
    const { status, json: job, text } = await t.call('POST', '/jobs', { json });
    expect(status, text).toBe(202);
    return { name, id: job.id, callback: job.callback as string };
  }

  const respond = (status: number) => (response: ServerResponse) => void response.writeHead(status).end();
  const tell = async (callback: string): Promise<unknown> => {
    await run(callback, 'enroll', 'callback');
    return deliver(callback, 'callback');
  };

  test('tells each end once, signed with the tenant’s secret, and shows nothing of input or result', async () => {
    const worker = new FakeWorker(t, t.acme);
    const ends = [
      ['job.succeeded', (id: string) => worker.succeed(id, { pages: 424_242 })],
      ['job.failed', (id: string) => worker.fail(id)],
      ['job.cancelled', (id: string) => t.call('POST', `/jobs/${id}/cancel`)],
    ] as const;
    const rotated = await t.call('POST', '/callback-secret/rotate');
    const { secret } = rotated.json as unknown as { secret: string };
    for (const [type, end] of ends) {
      const { name, id, callback } = await withCallback();
      expect((await t.call('GET', `/jobs/${callback}`)).status).toBe(404);
      await end(id);
      const ended = (await t.call('GET', `/jobs/${id}`)).json;
      expect(ended.links.callback).toBe(`${t.url}/jobs/${callback}`);
      expect((await t.call('GET', `/jobs/${callback}`)).json).toMatchObject({
        kind: 'webhook.callback',
        key: id,
        status: 'PENDING',
      });
      expect(await tell(callback)).toEqual({ delivered: 1, dead: 0 });
      expect(await deliver(callback, 'callback')).toEqual({ delivered: 1, dead: 0 });
      const [got, ...more] = receivers.got(name);
      expect(more).toEqual([]);
      expect(got!.headers['webhook-id']).toBe(`msg_${callback}`);
      const payload = new Webhook(secret).verify(got!.body, got!.headers as Record<string, string>);
      expect(payload).toMatchObject({
        type,
        timestamp: ended.finishedAt,
        data: {
          id,
          kind: 'note.write',
          key: ended.key,
          status: ended.status,
          links: { self: ended.links.self },
        },
      });
      expect(got!.body.toString()).not.toContain('424242');
      expect(await deliveriesOf(id)).toMatchObject([{ jobId: callback, status: 'delivered', attempts: 1 }]);
    }
  });

  test('that is refused for long is tried again, and its URL is never disabled for the next', async () => {
    const first = await withCallback();
    await new FakeWorker(t, t.acme).fail(first.id);
    receivers.answer(first.name, respond(500));
    expect(await tell(first.callback)).toBeGreaterThan(4_000);
    receivers.answer(first.name, respond(410));
    await letPass(first.callback, '1 hour');
    expect(await deliver(first.callback, 'callback')).toEqual({ delivered: 0, dead: 1 });
    expect(await deliveriesOf(first.id)).toMatchObject([{ status: 'dead', reason: 'gone', attempts: 2 }]);
    receivers.answer(first.name, respond(204));
    const second = await withCallback({ callback: { url: receivers.url(first.name) } });
    await new FakeWorker(t, t.acme).fail(second.id);
    expect(await tell(second.callback)).toEqual({ delivered: 1, dead: 0 });
    const listed = await t.call('GET', '/webhook-endpoints?limit=200');
    expect(listed.text).not.toContain(first.name);
  });

  test('that was given up is sent again under its id when that is asked for, and by nobody else', async () => {
    const { name, id, callback } = await withCallback();
    const path = `/jobs/${id}/callback/resend`;
    const early = await t.call('POST', path);
    expect([early.status, early.json.code]).toEqual([409, 'callback_not_sent']);
    await new FakeWorker(t, t.acme).fail(id);
    receivers.answer(name, respond(400));
    expect(await tell(callback)).toEqual({ delivered: 0, dead: 1 });
    receivers.answer(name, respond(204));
    const headers = { 'idempotency-key': id };
    const answer = await t.call('POST', path, { headers });
    expect([answer.status, answer.json.kind]).toEqual([202, 'webhook.resend']);
    expect(await run(answer.json.id, 'collect', 'resend')).toEqual({ deliveries: 1 });
    expect((await t.call('POST', path, { headers })).json.id, 'asked again').toBe(answer.json.id);
    expect(await deliver(answer.json.id, 'resend')).toEqual({ delivered: 1, dead: 0 });
    const [first, second, ...more] = receivers.got(name);
    expect(more).toEqual([]);
    expect(second!.headers['webhook-id']).toBe(`msg_${callback}`);
    expect(second!.body.equals(first!.body)).toBe(true);
    expect(await deliveriesOf(id)).toMatchObject([{ status: 'delivered', carriedBy: answer.json.id }]);
    expect((await t.call('POST', path, { key: t.rival.key })).json.code).toBe('job_not_found');
    const { json: silent } = await t.call('POST', '/jobs', { json: freshNote() });
    const none = await t.call('POST', `/jobs/${silent.id}/callback/resend`);
    expect([none.status, none.json.code]).toEqual([404, 'callback_not_found']);
  });

  test('is signed by both secrets for a day after a rotation, and another tenant has none of them', async () => {
    const before = (await t.call('POST', '/callback-secret/rotate')).json as unknown as { secret: string };
    const { secret, ...shown } = (await t.call('POST', '/callback-secret/rotate'))
      .json as unknown as typeof before;
    expect((await t.call('GET', '/callback-secret')).json).toEqual(shown);
    const { name, id, callback } = await withCallback();
    await new FakeWorker(t, t.acme).fail(id);
    await tell(callback);
    const [got] = receivers.got(name);
    for (const one of [before.secret, secret])
      expect(() => new Webhook(one).verify(got!.body, got!.headers as Record<string, string>)).not.toThrow();
    const theirs = await t.call('GET', '/callback-secret', { key: t.rival.key });
    expect(theirs.json.code).toBe('callback_secret_not_found');
  });

  test('at an address that webhooks may not go to is refused with the reason', async () => {
    const json = { ...freshNote(), callback: { url: 'https://169.254.169.254/' } };
    const answer = await t.call('POST', '/jobs', { json });
    expect(answer.json.errors).toEqual([
      { pointer: '/callback/url', detail: '169.254.169.254 is a cloud’s metadata service' },
    ]);
  });

  test('of a job that is there already stays the first one’s', async () => {
    const note = freshNote();
    const url = receivers.url(randomUUID());
    const first = await t.call('POST', '/jobs', { json: { ...note, callback: { url } } });
    const again = await t.call('POST', '/jobs', {
      json: { ...note, callback: { url: receivers.url(randomUUID()) } },
    });
    expect(again.json).toMatchObject({ id: first.json.id, callback: first.json.callback, duplicate: true });
  });
});
