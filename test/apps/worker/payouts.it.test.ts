/** Payouts through the whole stack: a provider that fails in every way, an approval, a cancel; and what the books say. */
import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deposit, findDrift } from '../../../activities/payout/payout-books.store.js';
import {
  eventually,
  newHome,
  removeHome,
  startTestStack,
  type TestJob,
  type TestStack,
} from '../../support/stack.js';
import { startReceivers } from '../../support/webhook-receivers.js';

const END_TIMEOUT_MS = 120_000;
/** Woken at its last child's end; by its own looks a batch would be minutes late. */
const LAG_MAX_MS = 20_000;
const AMOUNT_MINOR = 1_000;
const OPENING_MINOR = 50_000_000;

let stack: TestStack;
let home: string;
let owner: pg.Client;
let provider: (method: string, path: string, body?: object) => Promise<unknown>;
let tenantId: string;

interface Payout extends TestJob {
  readonly result: { paid: number; refused: number; released: number; paidMinor: number } | null;
}

beforeAll(async () => {
  home = await newHome();
  stack = await startTestStack(home, {}, 'shared');
  const run = (await stack.run()) as Awaited<ReturnType<TestStack['run']>> & { paymentProvider: string };
  owner = new pg.Client({ connectionString: run.databaseUrl });
  await owner.connect();
  const { rows } = await owner.query<{ id: string }>('select id from longhaul.tenants');
  tenantId = (rows[0] as { id: string }).id;
  await deposit(owner, {
    tenantId,
    accountId: 'main',
    currency: 'EUR',
    amountMinor: OPENING_MINOR,
    reference: 'opening',
  });
  provider = async (method, path, body) => {
    const response = await fetch(run.paymentProvider + path, {
      method,
      headers: { authorization: 'Bearer sandbox', 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    return response.status === 204 ? undefined : response.json();
  };
  const people = Array.from({ length: 40 }, (_, index) => ({ id: `acct_${index}`, status: 'allowed' }));
  await provider('PUT', '/recipients', { items: [...people, { id: 'acct_blocked', status: 'blocked' }] });
}, 120_000);

afterAll(async () => {
  await owner.end();
  await stack.stop();
  await removeHome(home);
}, 60_000);

async function submit(recipients: readonly string[], amountMinor = AMOUNT_MINOR): Promise<string> {
  const batch = `batch-${randomUUID()}`;
  const items = recipients.map((recipient) => ({ recipient, amountMinor, reference: batch }));
  const input = { batch, account: 'main', currency: 'EUR', items };
  const response = await stack.call('/jobs', {
    method: 'POST',
    body: JSON.stringify({ kind: 'payout.batch', input }),
  });
  expect(response.status).toBe(202);
  return ((await response.json()) as TestJob).id;
}

/** What the books and the provider say each, which must be the same. */
async function spentMinor(): Promise<{
  books: number;
  provider: number;
  reserved: number;
  isDrifting: boolean;
}> {
  await owner.query(`select set_config('longhaul.tenant', $1, false)`, [tenantId]);
  const { rows } = await owner.query<{ balance_minor: string; reserved_minor: string }>(
    `select balance_minor, reserved_minor from longhaul.accounts where id = 'main'`,
  );
  const [account] = rows;
  const balance = (await provider('GET', '/balance')) as {
    items: { currency: string; openingMinor: number; balanceMinor: number }[];
  };
  const euros = balance.items.find(({ currency }) => currency === 'EUR');
  return {
    books: OPENING_MINOR - Number(account?.balance_minor),
    provider: (euros?.openingMinor ?? 0) - (euros?.balanceMinor ?? 0),
    reserved: Number(account?.reserved_minor),
    isDrifting: (await findDrift(owner)).length > 0,
  };
}

/** From the end of a batch's last child to its own. */
async function lagMs(id: string): Promise<number> {
  const { items } = (await (await stack.call(`/jobs?parent=${id}&limit=200`)).json()) as { items: TestJob[] };
  const last = Math.max(...items.map(({ finishedAt }) => Date.parse(finishedAt as string)));
  return Date.parse((await stack.job(id)).finishedAt as string) - last;
}

async function ended(id: string): Promise<Payout> {
  return (await stack.ended(id, END_TIMEOUT_MS)) as Payout;
}

const people = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => `acct_${from + index}`);

test(
  'pays everybody once although the provider fails before, after and in the middle, and refuses who is blocked',
  async () => {
    const before = await spentMinor();
    await provider('PUT', '/faults', {
      seed: 7,
      probabilities: { error_before: 0.1, error_after: 0.1, drop_after: 0.1, cut_after: 0.1, too_many: 0.1 },
    });
    const job = await ended(await submit([...people(0, 12), 'acct_blocked', 'nobody']));
    await provider('PUT', '/faults', { seed: 7, probabilities: {} });
    expect(job).toMatchObject({
      status: 'SUCCEEDED',
      result: { paid: 12, refused: 2, released: 0, paidMinor: 12 * AMOUNT_MINOR },
      children: { total: 12, open: 0, parked: 0, succeeded: 12, failed: 0, cancelled: 0 },
      progress: { done: 12, total: 12, unit: 'jobs' },
    });
    expect(await lagMs(job.id)).toBeLessThan(LAG_MAX_MS);
    const after = await spentMinor();
    expect(after).toEqual({
      books: before.books + 12 * AMOUNT_MINOR,
      provider: before.provider + 12 * AMOUNT_MINOR,
      reserved: 0,
      isDrifting: false,
    });
    expect(await provider('GET', '/audit')).toMatchObject({ paidTwice: { keys: 0 } });
  },
  END_TIMEOUT_MS,
);

/** Longer than a cancel takes to reach the items' jobs, whose payments begin in waves of as many as there are workers. */
const WAVE_MS = 3_000;

test(
  'cancelled in the middle pays nobody who still waited for a worker, and the rest is free again in both books',
  async () => {
    await provider('PUT', '/faults', { seed: 1, probabilities: { slow: 1 }, slowMs: WAVE_MS });
    const id = await submit(people(0, 40));
    await eventually('the first transfer of the batch', async () => (await payments(id)).length > 0);
    const cancel = await stack.call(`/jobs/${id}/cancel`, { method: 'POST' });
    expect([200, 202]).toContain(cancel.status);
    const job = await ended(id);
    await provider('PUT', '/faults', { seed: 1, probabilities: {} });
    const begun = await payments(id);
    const kept = `${begun.length} of 40 paid: ${begun.length * AMOUNT_MINOR} minor units of EUR`;
    const leftovers = [{ step: 'reserve', fenced: false, kept }];
    expect(job).toMatchObject({ status: 'CANCELLED', compensated: 'partial', leftovers });
    expect(begun.length).toBeLessThan(40);
    expect(begun.filter(({ lateMs }) => lateMs > WAVE_MS - 1_000)).toEqual([]);
    expect(await lagMs(id)).toBeLessThan(LAG_MAX_MS);
    const after = await spentMinor();
    expect(after.provider).toBe(after.books);
    expect(after).toMatchObject({ reserved: 0, isDrifting: false });
  },
  END_TIMEOUT_MS,
);

/** The payments of a batch that began, and how long after their own job was asked to end. */
async function payments(batch: string): Promise<{ item: string; lateMs: number }[]> {
  const { rows } = await owner.query<{ item: string; lateMs: number }>(
    `select j.natural_key as item,
        coalesce(extract(epoch from e.started_at - j.cancel_requested_at) * 1000, 0)::int as "lateMs"
      from longhaul.effects e join longhaul.jobs j on j.id = e.job_id
      where j.parent_id = $1 and e.step = 'pay' and e.attempt > 0`,
    [batch],
  );
  return rows;
}

test(
  'above the limit waits for a person, and goes on at the approval',
  async () => {
    const before = await spentMinor();
    const id = await submit(['acct_37', 'acct_38'], 600_000);
    const { keys } = await stack.run();
    const operator = { headers: { authorization: `Bearer ${keys.operator}` } };
    const letter = await eventually('the wait for an approval', async () => {
      const response = await stack.call('/dead-letters?kind=payout.batch&step=approve', operator);
      const { items } = (await response.json()) as { items: { id: string; park: number; job: string }[] };
      return items[0];
    });
    const decision = {
      park: letter.park,
      decision: 'resolve',
      reason: 'The board agreed',
      output: { approved: true },
    };
    const decided = await stack.call(`/dead-letters/${letter.id}/decisions`, {
      ...operator,
      method: 'POST',
      body: JSON.stringify(decision),
    });
    expect(decided.status).toBe(202);
    expect(await ended(id)).toMatchObject({ status: 'SUCCEEDED', result: { paid: 2, paidMinor: 1_200_000 } });
    expect((await spentMinor()).books).toBe(before.books + 1_200_000);
  },
  END_TIMEOUT_MS,
);

test('of an account that has not so much fails, and nothing is reserved', async () => {
  const job = await ended(await submit(['acct_0'], OPENING_MINOR));
  expect(job).toMatchObject({ status: 'FAILED', error: { code: 'insufficient_funds' } });
  expect(await spentMinor()).toMatchObject({ reserved: 0, isDrifting: false });
});

test('webhooks hear of the settlement, a callback of the end, and a schedule’s run is a batch like any other', async () => {
  const receivers = await startReceivers();
  try {
    const post = async (path: string, body: object): Promise<{ id: string }> => {
      const response = await stack.call(path, { method: 'POST', body: JSON.stringify(body) });
      expect(response.status, path).toBeLessThan(300);
      return (await response.json()) as { id: string };
    };
    await post('/webhook-endpoints', { url: receivers.url('events'), eventTypes: ['payout.*'] });
    const items = [{ recipient: 'acct_1', amountMinor: AMOUNT_MINOR, reference: 'told' }];
    const template = await stack.call('/email-templates/paid', {
      method: 'PUT',
      body: JSON.stringify({
        subject: 'Paid',
        text: '{{paid}} of {{batch}}',
        variables: {
          properties: { paid: { type: 'integer' }, batch: { type: 'string' } },
          required: ['paid', 'batch'],
        },
      }),
    });
    expect(template.status).toBe(201);
    const notify = { email: { template: 'paid', to: { address: 'ada@example.com' } } };
    const nobody = { email: { ...notify.email, template: 'nobody-knows' } };
    const input = { batch: 'untold', account: 'main', currency: 'EUR', items, notify: nobody };
    const refused = await stack.call('/jobs', {
      method: 'POST',
      body: JSON.stringify({ kind: 'payout.batch', input }),
    });
    expect(await refused.json()).toMatchObject({
      errors: [{ pointer: '/input/notify/email/template' }],
    });
    const schedule = await post('/schedules', {
      kind: 'payout.batch',
      input: { batch: 'nightly {{scheduledAt}}', account: 'main', currency: 'EUR', items, notify },
      cron: '0 3 1 1 *',
      callback: { url: receivers.url('ends') },
    });
    const read = async (tail = ''): Promise<unknown> =>
      (await stack.call(`/schedules/${schedule.id}${tail}`)).json();
    await eventually('the engine’s schedule', async () => ((await read()) as { inSync: boolean }).inSync);
    const connection = await Connection.connect({ address: (await stack.run()).temporal });
    await new Client({ connection }).schedule.getHandle(schedule.id).trigger();
    await connection.close();
    const [run] = await eventually('the run’s job', async () => {
      const { items: jobs } = (await read('/jobs')) as { items: TestJob[] };
      return jobs.length > 0 && jobs;
    });
    const { id } = run as TestJob;
    expect((await ended(id)).result).toMatchObject({ paid: 1, paidMinor: AMOUNT_MINOR });
    await eventually('the e-mail', async () => {
      const { items: mails } = (await (await stack.call('/jobs?kind=email.send')).json()) as {
        items: (TestJob & { key: string; result: { sent: number } | null })[];
      };
      return mails.some(({ key, result }) => key === `payout%2f${id}` && result?.sent === 1);
    });
    await eventually('both to be told', () =>
      ['events', 'ends'].every((name) => receivers.got(name).length > 0),
    );
    const told = (name: string): unknown => JSON.parse(receivers.got(name)[0]!.body.toString());
    expect(told('events')).toMatchObject({ type: 'payout.settled', data: { job: id, paid: 1, items: 1 } });
    expect(told('ends')).toMatchObject({ type: 'job.succeeded', data: { id, kind: 'payout.batch' } });
  } finally {
    await receivers.close();
  }
});

test('a report is exported, and the event that tells of it leads to the file', async () => {
  const receivers = await startReceivers();
  try {
    const post = (path: string, body: object): Promise<Response> =>
      stack.call(path, { method: 'POST', body: JSON.stringify(body) });
    await post('/webhook-endpoints', { url: receivers.url('reports'), eventTypes: ['report.*'] });
    const report = { dataset: 'birdstrikes', version: 4_711, format: 'csv' };
    const answer = await post('/jobs', { kind: 'report.delivery', input: { delivery: 'may', report } });
    const { id } = (await answer.json()) as TestJob;
    const job = (await stack.ended(id, END_TIMEOUT_MS)) as TestJob & {
      result: { report: string; rows: number };
    };
    expect(job).toMatchObject({ status: 'SUCCEEDED', result: { mailed: false, webhooks: { delivered: 1 } } });
    const { data } = JSON.parse(receivers.got('reports')[0]!.body.toString()) as {
      data: { delivery: string; links: { result: string } };
    };
    expect(data).toMatchObject({ delivery: 'may', report: job.result.report });
    const file = await stack.call(new URL(data.links.result).pathname);
    expect((await file.text()).trimEnd().split('\n')).toHaveLength(job.result.rows + 1);
  } finally {
    await receivers.close();
  }
});
