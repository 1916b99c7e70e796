/** E-mail from the API to an SMTP server with planned faults: the steps run as a worker would run them, on its role. */
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { claimDue } from '../../../activities/email/deliveries.store.js';
import { emailSend as implement } from '../../../activities/email/email-send.js';
import { reportDelivery as implementDelivery } from '../../../activities/report-delivery/report-delivery.js';
import type { EmailResources, WebhookResources } from '../../../activities/resources.js';
import type { Message } from '../../../apps/api/emails/email.schema.js';
import { startMailbox, type RunningMailbox } from '../../../apps/sandbox-mailbox/mailbox.server.js';
import { createSmtpClient, type SmtpClient } from '../../../libs/emails/smtp.client.js';
import { createSuppressions } from '../../../libs/emails/suppressions.store.js';
import { sweepLists } from '../../../libs/emails/recipient-lists.store.js';
import { createKeepForm } from '../../../libs/emails/kept-form.js';
import { Deferred } from '../../../libs/saga/failure.js';
import { createRunAcceptance } from '../../../libs/schedules/run-acceptance.js';
import { ACCEPT_RUN_ACTIVITY } from '../../../libs/schedules/scheduled-run.js';
import { inTenant, openDatabase } from '../../../libs/store/database.js';
import { createJobInputs } from '../../../libs/store/job-input.store.js';
import { emailSend } from '../../../workflows/email-send.job.js';
import { reportDelivery } from '../../../workflows/report-delivery.job.js';
import { runStep } from './steps.js';
import { FakeWorker, startTestApi, type TestAnswer, type TestApi } from './support.js';

const FROM = { address: 'no-reply@longhaul.example', name: 'Longhaul' };
const RETRY_WAITS_MS = [60_000, 300_000];

let t: TestApi;
let mailbox: RunningMailbox;
let smtp: SmtpClient;
let resources: EmailResources;

beforeAll(async () => {
  mailbox = await startMailbox({ smtpPort: 0, port: 0, onError: (error) => console.error(error) });
  const settings = {
    connections: 3,
    from: FROM,
    fromDomains: ['longhaul.example'],
    retryWaitsMs: RETRY_WAITS_MS,
  };
  const rates = { all: 10_000, tenant: undefined };
  t = await startTestApi({}, { emails: { ...settings, rates, smtpUrl: undefined } });
  smtp = createSmtpClient({ url: mailbox.smtpUrl, connections: 3, silenceMsMax: 1_000 });
  const suppressions = createSuppressions(t.cipher);
  resources = {
    database: t.worker,
    artifacts: t.api.resources.artifacts,
    emails: { smtp, cipher: t.cipher, suppressions, from: FROM, rates, retryWaitsMs: RETRY_WAITS_MS },
  };
});
afterEach(() => mailbox.faults.clear());
afterAll(async () => {
  smtp.close();
  await t.close();
  await mailbox.close();
});

const unique = (): string => randomUUID().slice(0, 8);
const addressOf = (name = unique()): string => `${name}@example.com`;
const got = (to: string) => mailbox.messages.list({ to, limit: 100 });

async function must(answer: Promise<TestAnswer>, status: number): Promise<TestAnswer> {
  const { status: came, text } = await answer;
  expect(came, text).toBe(status);
  return answer;
}

interface TemplateWish {
  readonly subject?: string;
  readonly text?: string;
  readonly html?: string;
  readonly variables?: object;
}

async function putTemplate(wish: TemplateWish = {}, name = `t-${unique()}`): Promise<string> {
  const json = { subject: 'Hello', text: 'Hello', ...wish };
  const answer = await t.call('PUT', `/email-templates/${name}`, { json });
  expect([200, 201], answer.text).toContain(answer.status);
  return name;
}

const upload = (body: string, { type = 'text/csv', query = '' } = {}): Promise<TestAnswer> =>
  t.call('POST', `/recipient-lists?name=friends${query}`, { body, headers: { 'content-type': type } });

async function uploaded(...rows: readonly string[]): Promise<string> {
  return (await must(upload(rows.join('\n')), 201)).json.id;
}

async function submit(input: object): Promise<string> {
  const answer = await t.call('POST', '/emails', { json: { message: randomUUID(), ...input } });
  expect(answer.status, answer.text).toBe(202);
  return answer.json.id;
}

/** The pointers of what is wrong with a message. */
async function refused(input: object): Promise<string[]> {
  const answer = await must(t.call('POST', '/emails', { json: { message: randomUUID(), ...input } }), 422);
  return (answer.json.errors ?? []).map(({ pointer }) => pointer);
}

/** Runs a step or an undo of a job as a worker does. */
const run = (jobId: string, name: 'enroll' | 'deliver' | 'withdraw' | 'stop'): Promise<unknown> =>
  runStep(t, { definition: emailSend, implementation: implement(resources) }, name, jobId);

/** The result of the step `deliver`, or how long it was put off. */
const deliver = (jobId: string): Promise<unknown> =>
  run(jobId, 'deliver').catch((error: unknown) => {
    if (error instanceof Deferred) return error.deferMs;
    throw error;
  });

async function send(input: object): Promise<{ jobId: string; came: unknown }> {
  const jobId = await submit(input);
  await run(jobId, 'enroll');
  return { jobId, came: await deliver(jobId) };
}

async function messagesOf(jobId: string, query = ''): Promise<Message[]> {
  const answer = await t.call('GET', `/jobs/${jobId}/messages${query}`);
  return answer.json.items as unknown as Message[];
}

/** Lets so much time pass for a job's messages, and for the server's pause. */
async function letPass(jobId: string, interval: string): Promise<void> {
  await inTenant(t.worker, t.acme.id, async (tx) => {
    await tx.query('update longhaul.email_deliveries set due_at = due_at - $2::interval where job_id = $1', [
      jobId,
      interval,
    ]);
    await tx.query('update longhaul.email_gates set open_until = open_until - $1::interval', [interval]);
  });
}

describe('templates', () => {
  test('have versions, of which the newest is listed and any can be read, until they are deleted', async () => {
    const name = await putTemplate({ subject: 'One' });
    const second = await t.call('PUT', `/email-templates/${name}`, { json: { subject: 'Two', text: 'x' } });
    expect([second.status, second.json]).toMatchObject([201, { version: 2 }]);
    const same = await t.call('PUT', `/email-templates/${name}`, { json: { subject: 'Two', text: 'x' } });
    expect([same.status, same.json]).toMatchObject([200, { version: 2 }]);
    expect((await t.call('GET', `/email-templates/${name}?version=1`)).json).toMatchObject({
      subject: 'One',
    });
    const listed = (await t.call('GET', '/email-templates?limit=200')).json.items as unknown as {
      name: string;
      version: number;
    }[];
    expect(listed.filter((one) => one.name === name)).toMatchObject([{ version: 2 }]);
    for (const method of ['GET', 'DELETE', 'POST']) {
      const path = `/email-templates/${name}${method === 'POST' ? '/preview' : ''}`;
      const answer = await t.call(method, path, { key: t.rival.key });
      expect([answer.status, answer.json.code]).toEqual([404, 'email_template_not_found']);
    }
    await must(t.call('DELETE', `/email-templates/${name}`), 204);
    await must(t.call('GET', `/email-templates/${name}`), 404);
    expect(
      (await t.call('PUT', `/email-templates/${name}`, { json: { subject: 'Three', text: 'x' } })).json,
    ).toMatchObject({ version: 3 });
  });

  test('that do not work are refused with every place', async () => {
    const json = {
      subject: 'a\nb',
      text: '{{who}}',
      html: '{{{name}}}',
      variables: { properties: { name: { type: 'text' } }, required: ['x'] },
    };
    const shape = await must(t.call('PUT', '/email-templates/a', { json }), 422);
    expect(shape.json.errors.map(({ pointer }) => pointer)).toEqual(
      expect.arrayContaining(['/subject', '/variables/properties/name']),
    );
    const meaning = await must(
      t.call('PUT', '/email-templates/Not%20a%20name', {
        json: { ...json, subject: 'a', variables: undefined },
      }),
      422,
    );
    expect(meaning.json.errors.map(({ pointer }) => pointer)).toEqual(['/text', '/html', '/name']);
  });

  test('are previewed with values, escaped in HTML alone', async () => {
    const name = await putTemplate({
      subject: 'For {{name}}',
      text: 'Dear {{name}}: {{file}}',
      html: '<p>{{name}}</p>',
      variables: {
        properties: { name: { type: 'string' }, file: { type: 'string', format: 'artifact' } },
        required: ['name'],
      },
    });
    const path = `/email-templates/${name}/preview`;
    const file = randomUUID();
    const shown = await must(t.call('POST', path, { json: { variables: { name: '<Ada>', file } } }), 200);
    expect(shown.json).toEqual({
      version: 1,
      subject: 'For <Ada>',
      text: `Dear <Ada>: ${t.settings.publicUrl}/jobs/${file}/result`,
      html: '<p>&lt;Ada&gt;</p>',
    });
    const missing = await must(t.call('POST', path, { json: { variables: { nam: 'x' } } }), 422);
    expect(missing.json.errors.map(({ pointer }) => pointer)).toEqual(['/variables/nam', '/variables/name']);
  });
});

describe('lists of recipients', () => {
  test('are uploaded, counted, listed and deleted; their addresses are in no table', async () => {
    const [one, two] = [addressOf(), addressOf()];
    const csv = `address,name,voucher\n${one},Ada,A\n${two},,B\n${one.replace('@example.com', '@EXAMPLE.com')},Ada,C\n`;
    const { json } = await must(upload(csv, { query: '&ttlDays=7' }), 201);
    expect(json).toMatchObject({
      name: 'friends',
      recipients: 2,
      duplicates: 1,
      invalid: 0,
      columns: ['voucher', 'name'],
      badRows: [],
    });
    const { badRows: _, ...list } = json as unknown as { badRows: unknown };
    expect((await t.call('GET', `/recipient-lists/${json.id}`)).json).toEqual(list);
    expect((await t.call('GET', '/recipient-lists?limit=1')).json.items).toEqual([list]);
    const { rows } = await inTenant(t.worker, t.acme.id, (tx) =>
      tx.query<{ sealed: Buffer }>('select sealed from longhaul.recipient_chunks where list_id = $1', [
        json.id,
      ]),
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]!.sealed.toString('latin1')).not.toContain(one);
    await must(t.call('GET', `/recipient-lists/${json.id}`, { key: t.rival.key }), 404);
    await must(t.call('DELETE', `/recipient-lists/${json.id}`, { key: t.rival.key }), 404);
    await must(t.call('DELETE', `/recipient-lists/${json.id}`), 204);
    const left = await inTenant(t.worker, t.acme.id, (tx) =>
      tx.query('select 1 from longhaul.recipient_chunks where list_id = $1', [json.id]),
    );
    expect(left.rowCount).toBe(0);
  });

  test('with bad rows are refused, each told by its line, or taken without them', async () => {
    const ndjson = ['{"address":"nobody"}', `{"address":"${addressOf()}"}`, '{'].join('\n');
    const type = 'application/x-ndjson';
    const { json } = await must(upload(ndjson, { type }), 422);
    expect(json.code).toBe('recipient_list_invalid');
    expect(json.errors.map(({ pointer }) => pointer)).toEqual(['/1', '/3']);
    const skipped = await must(upload(ndjson, { type, query: '&onBadRows=skip' }), 201);
    expect(skipped.json).toMatchObject({ recipients: 1, invalid: 2, badRows: [{ line: 1 }, { line: 3 }] });
    const many = Array.from({ length: 150 }, () => 'nobody').join('\n');
    const told = await must(upload(`address\n${many}`), 422);
    expect(told.json.errors.at(-1)).toEqual({ pointer: '', detail: 'and 50 more' });
  });

  test.each([
    ['without a header', 'ada@example.com\n', 'text/csv', 422, 'recipient_list_invalid'],
    ['without recipients', 'address\n', 'text/csv', 422, 'recipient_list_invalid'],
    ['as JSON', '{}', 'application/json', 415, 'unsupported_media_type'],
    ['as something else', 'x', 'text/plain', 415, 'unsupported_media_type'],
  ])('%s are refused', async (_, body, type, status, code) => {
    expect((await must(upload(body, { type }), status)).json.code).toBe(code);
  });

  test('of 100,000 are taken in one upload, of one more refused; a JSON route takes no CSV', async () => {
    const rows = Array.from({ length: 100_001 }, (_, index) => `a${index}@example.com,${index}`);
    const { json } = await must(upload(`address,number\n${rows.slice(0, 100_000).join('\n')}`), 201);
    expect(json).toMatchObject({ recipients: 100_000, duplicates: 0 });
    const over = await must(upload(`address,number\n${rows.join('\n')}`), 422);
    expect(over.json.detail).toContain('more than 100000');
    const jobs = await t.call('POST', '/jobs', { body: 'x', headers: { 'content-type': 'text/csv' } });
    expect([jobs.status, jobs.json.code]).toEqual([415, 'unsupported_media_type']);
  });

  test('that are over their time, or were cut off, are swept', async () => {
    const id = await uploaded('address', addressOf());
    const relay = openDatabase(t.settings.databaseUrl.owner, 'relay', { max: 1 });
    expect(await sweepLists(relay, 3_600_000)).toBe(0);
    await t.owner.query('alter table longhaul.recipient_lists no force row level security');
    await t.owner.query(`update longhaul.recipient_lists set expires_at = now() where id = $1`, [id]);
    await t.owner.query('alter table longhaul.recipient_lists force row level security');
    await must(t.call('GET', `/recipient-lists/${id}`), 404);
    expect(await sweepLists(relay, 3_600_000)).toBe(1);
    await relay.end();
  });
});

describe('a message to one', () => {
  test('comes as its template says, under a Message-ID of the job, with the sender’s headers', async () => {
    const to = addressOf();
    const template = await putTemplate({
      subject: 'Grüße, {{name}}',
      text: 'Dear {{name}}, {{amount}}',
      html: '<p>Dear {{name}}, {{amount}}</p>',
      variables: {
        properties: { name: { type: 'string' }, amount: { type: 'number' } },
        required: ['name', 'amount'],
      },
    });
    const { jobId, came } = await send({
      template,
      to: { address: to.replace('example.com', 'Example.COM'), name: 'Zoë "Z" O’Hara, Esq.' },
      variables: { name: '<Zoë>', amount: 12.5 },
      replyTo: { address: 'books@longhaul.example' },
      listUnsubscribe: { url: 'https://longhaul.example/off?who={{name}}', oneClick: true },
    });
    expect(came).toEqual({ sent: 1, suppressed: 0, refused: 0, dead: 0 });
    const { items } = (await (await fetch(`${mailbox.url}/messages?to=${to}`)).json()) as {
      items: Record<string, unknown>[];
    };
    expect(items).toMatchObject([
      {
        envelope: { from: FROM.address, to: [to] },
        from: FROM,
        to: [{ address: to, name: 'Zoë "Z" O’Hara, Esq.' }],
        subject: 'Grüße, <Zoë>',
        messageId: `<${jobId}.0@longhaul.example>`,
        text: 'Dear <Zoë>, 12.5\n',
        html: '<p>Dear &lt;Zoë&gt;, 12.5</p>\n',
        headers: {
          'reply-to': 'books@longhaul.example',
          'list-unsubscribe': '<https://longhaul.example/off?who=%3CZo%C3%AB%3E>',
          'list-unsubscribe-post': 'List-Unsubscribe=One-Click',
        },
      },
    ]);
    expect(await messagesOf(jobId)).toMatchObject([
      {
        place: 0,
        status: 'sent',
        to: `${to.slice(0, 1)}…@example.com`,
        attempts: 1,
        messageId: `${jobId}.0@longhaul.example`,
      },
    ]);
  });

  test('is the same job when it is asked for again, in the version it was accepted with', async () => {
    const to = addressOf();
    const template = await putTemplate({ text: 'first' });
    const input = { message: randomUUID(), template, to: { address: to } };
    const { json } = await must(t.call('POST', '/emails', { json: input }), 202);
    await putTemplate({ text: 'second' }, template);
    const again = await must(t.call('POST', '/emails', { json: input }), 200);
    expect(again.json).toMatchObject({ id: json.id, duplicate: true });
    await must(t.call('DELETE', `/email-templates/${template}`), 204);
    await run(json.id, 'enroll');
    expect(await deliver(json.id)).toMatchObject({ sent: 1 });
    expect(got(to)[0]!.raw.toString()).toContain('first');
  });

  test('with anything wrong is refused when it is posted, with every place', async () => {
    const template = await putTemplate({
      text: '{{name}}',
      variables: { properties: { name: { type: 'string' } }, required: ['name'] },
    });
    const list = await uploaded('address,name', `${addressOf()},Ada`);
    const to = { address: addressOf() };
    expect(await refused({ template, to })).toEqual(['/variables/name']);
    expect(await refused({ template, to: { address: 'nobody' }, variables: { name: 1, nam: 'x' } })).toEqual([
      '/to/address',
      '/variables/name',
      '/variables/nam',
    ]);
    expect(await refused({ template: 'none', to })).toEqual(['/template']);
    expect(await refused({ template, templateVersion: 9, to })).toEqual(['/templateVersion']);
    expect(await refused({ template, to, list })).toEqual(['/to']);
    expect(await refused({ template, list: randomUUID(), variables: { name: 'x' } })).toEqual(['/list']);
    expect(
      await refused({
        template,
        to: { ...to, name: 'Ada\r\nBcc: eve@example.com' },
        variables: { name: 'x' },
      }),
    ).toEqual(['/to/name']);
    expect(await refused({ template, list, from: { address: 'boss@elsewhere.example' } })).toEqual([
      '/from/address',
    ]);
    expect(await refused({ template, list, listUnsubscribe: { url: 'https://x.example/{{who}}' } })).toEqual([
      '/listUnsubscribe/url',
    ]);
    const rivals = await t.call('POST', '/emails', {
      key: t.rival.key,
      json: { message: 'x', template, list },
    });
    expect(rivals.json.errors.map(({ pointer }) => pointer)).toEqual(['/list', '/template']);
  });

  test('is refused where there is no mail server', async () => {
    const { settings } = t.api.resources;
    const { from } = settings.emails;
    Object.assign(settings.emails, { from: undefined });
    const answer = await t.call('POST', '/emails', {
      json: { message: 'x', template: 'x', to: { address: addressOf() } },
    });
    Object.assign(settings.emails, { from });
    expect([answer.status, answer.json.code]).toEqual([422, 'email_not_configured']);
  });

  test('that is refused fails with the reply, and nobody there is written to again', async () => {
    const to = addressOf();
    const template = await putTemplate();
    mailbox.faults.add({ at: 'rcpt', to, reply: `550 5.1.1 <${to}> No such user`, times: 1 });
    const jobId = await submit({ template, to: { address: to } });
    await run(jobId, 'enroll');
    await expect(run(jobId, 'deliver')).rejects.toMatchObject({
      code: 'smtp_550',
      failureClass: 'rejected',
      message: expect.stringMatching(/^The message was not sent: 550 5\.1\.1 .*No such user/) as string,
    });
    await expect(run(jobId, 'deliver'), 'redacted').rejects.not.toMatchObject({
      message: expect.stringContaining(to) as string,
    });
    expect(await run(jobId, 'stop')).toBe('noop');
    const [suppression] = (await t.call('GET', `/email-suppressions?address=${to.toUpperCase()}`)).json.items;
    expect(suppression).toMatchObject({ address: to, reason: 'bounced' });
    expect((await send({ template, to: { address: to } })).came).toMatchObject({ sent: 0, suppressed: 1 });
    await must(t.call('DELETE', `/email-suppressions/${suppression!.id}`, { key: t.rival.key }), 404);
    await must(t.call('DELETE', `/email-suppressions/${suppression!.id}`), 204);
    expect((await send({ template, to: { address: to } })).came).toMatchObject({ sent: 1 });
  });

  test('is tried again after 4xx replies and lost connections under the same Message-ID, then given up', async () => {
    const to = addressOf();
    const template = await putTemplate();
    mailbox.faults.add({ at: 'rcpt', to, reply: '450 4.2.0 Greylisted', times: 1 });
    mailbox.faults.add({ at: 'data', to, drop: true, times: 1 });
    mailbox.faults.add({ at: 'data', to, reply: '451 4.3.0 Later', times: 1 });
    const { jobId, came } = await send({ template, to: { address: to } });
    expect(came).toBeGreaterThan(59_000);
    expect(await deliver(jobId), 'nothing is due').toBeGreaterThan(58_000);
    await letPass(jobId, '70 seconds');
    expect(await deliver(jobId)).toBeGreaterThan(299_000);
    expect(await messagesOf(jobId)).toMatchObject([
      { status: 'open', reason: 'connection_lost', attempts: 2, doubts: 1 },
    ]);
    await letPass(jobId, '6 minutes');
    await expect(run(jobId, 'deliver')).rejects.toMatchObject({ code: 'attempts_exhausted' });
    expect(await messagesOf(jobId)).toMatchObject([
      { status: 'dead', reply: '451 4.3.0 Later', attempts: 3 },
    ]);
    expect(got(to), 'taken when the connection was cut').toHaveLength(1);
    expect(await run(jobId, 'stop')).toEqual({
      kept: '0 of 1 messages were sent, and 1 more may have been; the others were not.',
    });
  });

  test('waits without losing an attempt while the server is away, and so does every other', async () => {
    const [to, other] = [addressOf(), addressOf()];
    const template = await putTemplate();
    mailbox.faults.add({ at: 'rcpt', to, reply: '421 4.3.2 Shutting down', times: 1_000 });
    const { jobId, came } = await send({ template, to: { address: to } });
    expect(came).toBeGreaterThan(3_000);
    const second = await send({ template, to: { address: other } });
    expect(second.came, 'the gate is shut').toBeGreaterThan(3_000);
    expect(got(other)).toHaveLength(0);
    await letPass(jobId, '6 seconds');
    expect(await deliver(jobId), 'away again: longer').toBeGreaterThan(8_000);
    mailbox.faults.clear();
    await letPass(jobId, '11 seconds');
    expect(await deliver(jobId)).toMatchObject({ sent: 1 });
    expect(await deliver(second.jobId)).toMatchObject({ sent: 1 });
    expect(await messagesOf(jobId)).toMatchObject([{ status: 'sent', attempts: 1, doubts: 0 }]);
  });

  test('links to another job’s file, signed anew, once it is there', async () => {
    const to = addressOf();
    const variables = { properties: { file: { type: 'string', format: 'artifact' } }, required: ['file'] };
    const template = await putTemplate({ text: '{{file}}', html: '<a href="{{file}}">file</a>', variables });
    const filter = { delay: { gte: Math.floor(Math.random() * 1e9) } };
    const { json } = await must(
      t.call('POST', '/exports', { json: { dataset: 'flights', version: 1, format: 'csv', filter } }),
      202,
    );
    const { jobId, came } = await send({ template, to: { address: to }, variables: { file: json.id } });
    expect(came).toBeGreaterThan(59_000);
    const worker = new FakeWorker(t, t.acme);
    const expiresAt = new Date(Date.now() + 3_600_000);
    await worker.artifact(json.id, { location: `${json.id}.1`, bytes: 1, sha256: 'a'.repeat(64), expiresAt });
    await letPass(jobId, '70 seconds');
    expect(await deliver(jobId)).toMatchObject({ sent: 1 });
    const { items } = (await (await fetch(`${mailbox.url}/messages?to=${to}`)).json()) as {
      items: { text: string }[];
    };
    const url = new URL(items[0]!.text.trim());
    expect(url.href.startsWith(`${t.settings.publicUrl}/artifacts/${json.id}.1?`)).toBe(true);
    expect(Number(url.searchParams.get('expires'))).toBe(Math.floor(expiresAt.getTime() / 1_000));
    const unknown = await submit({ template, to: { address: to }, variables: { file: randomUUID() } });
    await run(unknown, 'enroll');
    await expect(run(unknown, 'deliver')).rejects.toMatchObject({ code: 'artifact_unknown' });
  });
});

describe('a message to a list', () => {
  test('reaches each recipient once with its own values, whatever becomes of the others', async () => {
    const [good, bare, gone, off] = [addressOf(), addressOf(), addressOf(), addressOf()];
    const template = await putTemplate({
      text: '{{greeting}} {{voucher}}',
      variables: {
        properties: { greeting: { type: 'string' }, voucher: { type: 'integer' } },
        required: ['greeting', 'voucher'],
      },
    });
    const list = await uploaded(
      'address,voucher,greeting,other',
      `${good},1,Dear,x`,
      `${bare},2,,x`,
      `${gone},3,,x`,
      `${off},4,,x`,
      `${addressOf()},no,,x`,
    );
    await must(t.call('POST', '/email-suppressions', { json: { address: off } }), 201);
    mailbox.faults.add({ at: 'rcpt', to: gone, reply: '550 5.1.1 No such user', times: 1 });
    const { jobId, came } = await send({ template, list, variables: { greeting: 'Hi' } });
    expect(came).toEqual({ sent: 2, suppressed: 1, refused: 2, dead: 0 });
    expect(got(good)[0]!.raw.toString()).toContain('Dear 1');
    expect(got(bare)[0]!.raw.toString()).toContain('Hi 2');
    expect(got(off)).toHaveLength(0);
    const refusals = await messagesOf(jobId, '?status=refused');
    expect(refusals.map(({ place, reason, reply }) => [place, reason, reply])).toEqual([
      [2, 'smtp_550', '550 5.1.1 No such user'],
      [4, 'variables_invalid', 'voucher: Expected a whole number.'],
    ]);
    const first = await t.call('GET', `/jobs/${jobId}/messages?limit=3`);
    expect(first.headers.get('link')).toContain(`/jobs/${jobId}/messages?limit=3&from=3>`);
    expect(first.json.items).toHaveLength(3);
  });

  test('loses nobody to a worker that dies: what it had under way is sent again under the same Message-ID, nothing else', async () => {
    const names = Array.from({ length: 260 }, (_, index) => addressOf(`p${index}-${unique()}`));
    const list = await uploaded('address', ...names);
    const jobId = await submit({ template: await putTemplate(), list });
    await run(jobId, 'enroll');
    // It took up a hundred, and was never heard of again.
    const rates = { all: undefined, tenant: undefined };
    const lost = await inTenant(t.worker, t.acme.id, (tx) =>
      claimDue(tx, { tenantId: t.acme.id, jobId, after: -1, limit: 100, rates }),
    );
    expect(lost.messages).toHaveLength(100);
    expect(await deliver(jobId)).toEqual({ sent: 260, suppressed: 0, refused: 0, dead: 0 });
    for (const name of names) expect(got(name)).toHaveLength(1);
    const messages = await messagesOf(jobId, '?limit=200');
    expect(messages.map(({ doubts }) => doubts)).toEqual([
      ...Array<number>(100).fill(1),
      ...Array<number>(100).fill(0),
    ]);
    expect(got(names[7]!)[0]!.raw.toString()).toContain(`Message-ID: <${jobId}.7@longhaul.example>`);
  });

  test('that is cancelled sends no more, and says what it had sent', async () => {
    const [one, two] = [addressOf(), addressOf()];
    mailbox.faults.add({ at: 'rcpt', to: two, reply: '450 4.2.0 Greylisted', times: 1 });
    const { jobId } = await send({
      template: await putTemplate(),
      list: await uploaded('address', one, two),
    });
    const kept = { kept: '1 of 2 messages were sent; the others were not.' };
    expect(await run(jobId, 'stop')).toEqual(kept);
    expect(await run(jobId, 'stop'), 'asked again').toEqual(kept);
    await letPass(jobId, '1 day');
    await run(jobId, 'deliver');
    expect(got(two)).toHaveLength(0);
    expect((await messagesOf(jobId)).map(({ status }) => status)).toEqual(['sent', 'withdrawn']);
  });

  test('whose list is deleted meanwhile gives the rest up', async () => {
    const to = addressOf();
    const list = await uploaded('address', to);
    const jobId = await submit({ template: await putTemplate(), list });
    await run(jobId, 'enroll');
    await must(t.call('DELETE', `/recipient-lists/${list}`), 204);
    expect(await deliver(jobId)).toMatchObject({ sent: 0, dead: 1 });
    expect(await messagesOf(jobId)).toMatchObject([{ reason: 'recipient_gone', to: null }]);
  });

  test('keeps to the rate, without holding a worker', async () => {
    const list = await uploaded('address', ...Array.from({ length: 5 }, () => addressOf()));
    const jobId = await submit({ template: await putTemplate(), list });
    await run(jobId, 'enroll');
    const slow = { ...resources, emails: { ...resources.emails, rates: { all: undefined, tenant: 0.1 } } };
    const before = resources;
    resources = slow;
    const came = await deliver(jobId);
    resources = before;
    expect(came).toBeGreaterThan(5_000);
    const sent = (await messagesOf(jobId)).filter(({ status }) => status === 'sent').length;
    expect(sent).toBe(1);
  });
});

describe('a delivery of a report', () => {
  const report = { dataset: 'flights', version: 1, format: 'csv' };
  const deliver = (email: object, more: object = {}): Promise<TestAnswer> =>
    t.call('POST', '/jobs', {
      json: { kind: 'report.delivery', input: { delivery: unique(), report, email, ...more } },
    });

  test('has its e-mail judged as one, the link that is to come with it', async () => {
    const link = { type: 'string', format: 'artifact' };
    const variables = { properties: { file: link }, required: ['file'] };
    const template = await putTemplate({ text: 'Here: {{file}}', variables });
    const to = { address: addressOf() };
    const answer = await must(deliver({ template, to, link: 'file' }), 202);
    const loadInput = createJobInputs(t.worker, t.cipher, (_, input) => input);
    const stored = await loadInput({ id: answer.json.id, tenantId: t.acme.id, kind: 'report.delivery' });
    expect(stored).toMatchObject({ email: { template, templateVersion: 1, from: FROM } });
    for (const [email, pointer] of [
      [{ template, to }, '/input/email/variables/report'],
      [{ template: 'nobody-knows', to, link: 'file' }, '/input/email/template'],
      [{ template, to: { address: 'no address' }, link: 'file' }, '/input/email/to/address'],
    ] as const) {
      const refusal = await must(deliver(email), 422);
      expect(refusal.json.errors.map((error) => error.pointer)).toContain(pointer);
    }
    const wrongReport = await must(
      deliver({ template, to, link: 'file' }, { report: { ...report, dataset: 'x' } }),
      422,
    );
    expect(wrongReport.json.errors.map((error) => error.pointer)).toEqual(['/input/report/dataset']);
  });

  test('taken back lets the finished file expire at once', async () => {
    const worker = new FakeWorker(t, t.acme);
    const { id } = (await must(t.call('POST', '/exports', { json: { ...report, version: 77 } }), 202)).json;
    const file = { location: `${id}.0`, bytes: 1, sha256: 'a'.repeat(64) };
    await worker.artifact(id, { ...file, expiresAt: new Date(Date.now() + 3_600_000) });
    await worker.succeed(id, { rows: 1 });
    const { undos } = implementDelivery({ webhooks: { publicUrl: t.url } as WebhookResources['webhooks'] });
    const expire = undos.expire as unknown as (args: undefined, context: object) => Promise<unknown>;
    const ended = { jobId: id, status: 'SUCCEEDED' };
    const undo = (): Promise<unknown> =>
      inTenant(t.worker, t.acme.id, (tx) => expire(undefined, { tx, ended }));
    expect([await undo(), await undo()]).toEqual(['undone', 'noop']);
    expect((await t.call('GET', `/jobs/${id}/result`)).json.code).toBe('result_expired');
  });

  test('asked for by a schedule is judged when that is made', async () => {
    const json = {
      kind: 'email.send',
      input: { message: '{{date}}', template: 'nobody-knows', to: { address: addressOf() } },
      cron: '0 6 * * *',
    };
    const answer = await must(t.call('POST', '/schedules', { json }), 422);
    expect(answer.json.errors.map(({ pointer }) => pointer)).toEqual(['/input/template']);
  });

  test.each([
    ['email.send', (email: object) => ({ ...email, message: '{{scheduledAt}}' }), (input) => input],
    [
      'report.delivery',
      (email: object) => ({ report, email: { ...email, link: 'file' }, delivery: '{{scheduledAt}}' }),
      (input) => (input as { email: unknown }).email,
    ],
  ] as [string, (email: object) => object, (input: unknown) => unknown][])(
    'asked for by a schedule keeps the version of its run, and where its template is gone the schedule says so: %s',
    async (kind, inputOf, emailOf) => {
      const variables = { properties: { file: { type: 'string', format: 'artifact' } } };
      const template = await putTemplate({ variables });
      const input = inputOf({ template, to: { address: addressOf() } });
      const { json: schedule } = await must(
        t.call('POST', '/schedules', { json: { kind, input, cron: '0 6 * * *' } }),
        201,
      );
      const runs = createRunAcceptance({
        ...{ database: t.worker, cipher: t.cipher, definitions: [emailSend, reportDelivery] },
        ...{ callbackDeadlineMs: 1, keepForm: createKeepForm(FROM) },
      });
      const run = (month: string): Promise<string | null> =>
        runs[ACCEPT_RUN_ACTIVITY]({
          ...{ scheduleId: schedule.id, run: `${schedule.id}/${month}` },
          scheduledAt: `2031-${month}-03T04:05:06.000Z`,
        });
      const id = await run('01');
      await putTemplate({ subject: 'Changed', variables }, template);
      const loadInput = createJobInputs(t.worker, t.cipher, (_, stored) => stored);
      const stored = await loadInput({ id: id!, tenantId: t.acme.id, kind });
      expect(emailOf(stored)).toMatchObject({ template, templateVersion: 1, from: FROM });
      expect(await run('01'), 'the same run again').toBe(id);

      await must(t.call('DELETE', `/email-templates/${template}`), 204);
      expect(await run('02')).toBeNull();
      const { json: told } = await t.call('GET', `/schedules/${schedule.id}`);
      expect(told).toMatchObject({ lastError: { code: 'email_template_not_found' } });
      const change = (json: object): Promise<TestAnswer> =>
        t.call('PATCH', `/schedules/${schedule.id}`, { json });
      expect([(await change({ paused: true })).status, (await change({ paused: false })).status]).toEqual([
        200, 422,
      ]);
    },
  );
});
