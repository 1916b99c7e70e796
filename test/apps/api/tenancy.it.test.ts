import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../../../libs/store/database.js';
import { FakeWorker, freshNote, openEvents, startTestApi, type TestApi } from './support.js';

let t: TestApi;
let jobId: string;
const UNKNOWN = '01890000-0000-7000-8000-000000000000';
beforeAll(async () => {
  t = await startTestApi();
  jobId = (await t.call('POST', '/jobs', { json: freshNote({ text: 'mine' }) })).json.id;
  await new FakeWorker(t, t.acme).start(jobId);
});
afterAll(async () => t.close());

test.each([
  ['GET', '', undefined],
  ['GET', '/events', undefined],
  ['GET', '/result', undefined],
  ['POST', '/cancel', '{}'],
  ['POST', '/cancel?dryRun=true', '{}'],
] as const)('%s /jobs/{id}%s of another tenant answers like an unknown job', async (method, tail, body) => {
  const options = { key: t.rival.key, ...(body === undefined ? {} : { body }) };
  const theirs = await t.call(method, `/jobs/${jobId}${tail}`, options);
  const unknown = await t.call(method, `/jobs/${UNKNOWN}${tail}`, options);
  expect(theirs.status).toBe(404);
  const masked = (answer: typeof theirs): string =>
    answer.text
      .replaceAll(jobId, 'ID')
      .replaceAll(UNKNOWN, 'ID')
      .replaceAll(answer.headers.get('x-trace-id') ?? '-', 'TRACE');
  expect(masked(theirs)).toBe(masked(unknown));
  expect(JSON.parse(theirs.text)).toMatchObject({
    code: 'job_not_found',
    instance: `/jobs/${jobId}${tail.split('?')[0]}`,
  });
  const headersOf = (answer: typeof theirs): object =>
    Object.fromEntries(
      [...answer.headers].filter(([name]) => !['x-trace-id', 'date', 'content-length'].includes(name)),
    );
  expect(headersOf(theirs)).toEqual(headersOf(unknown));
});

test('lists and keys of another tenant do not meet mine', async () => {
  expect((await t.call('GET', '/jobs', { key: t.rival.key })).json.items).toEqual([]);
  const note = freshNote({ text: 'one' });
  const mine = await t.call('POST', '/jobs', { json: note });
  const theirs = await t.call('POST', '/jobs', {
    json: { ...note, input: { ...note.input, text: 'two' } },
    key: t.rival.key,
  });
  expect(theirs.status).toBe(202);
  expect(theirs.json.id).not.toBe(mine.json.id);
});

test('another tenant’s cancel changes nothing', async () => {
  await t.call('POST', `/jobs/${jobId}/cancel`, { key: t.rival.key });
  expect((await t.call('GET', `/jobs/${jobId}`)).json.status).toBe('STARTED');
  const stream = await openEvents(t, `/jobs/${jobId}/events`);
  expect((await stream.next())?.data.status).toBe('STARTED');
  stream.end();
});

test('with no tenant set the API’s role sees no row, and writes none', async () => {
  const app = openDatabase(t.settings.databaseUrl.app, 'app', { max: 1 });
  for (const table of [
    'tenants',
    'tenant_keys',
    'jobs',
    'outbox',
    'effects',
    'dead_letters',
    'artifacts',
    'idempotency',
    'readable_jobs',
  ]) {
    const { rows } = await app.query(`select 1 from longhaul.${table}`);
    expect(rows, table).toEqual([]);
  }
  await expect(app.query('select 1 from longhaul.api_keys')).rejects.toMatchObject({ code: '42501' });
  await expect(
    app.query(
      `insert into longhaul.jobs (id, tenant_id, kind, input, input_digest, deadline_at) values ($1, $2, 'x', '', '', now())`,
      [UNKNOWN, t.acme.id],
    ),
  ).rejects.toMatchObject({ code: '42501' });
  await app.end();
});

test('reading functions take a tenant and give that one’s rows alone', async () => {
  const app = openDatabase(t.settings.databaseUrl.app, 'app', { max: 1 });
  const read = async (tenant: string): Promise<number> =>
    (await app.query('select id from longhaul.read_jobs($1, array[$2]::uuid[])', [tenant, jobId])).rows
      .length;
  expect([await read(t.acme.id), await read(t.rival.id)]).toEqual([1, 0]);
  // The setting is the transaction's, not the connection's: the next statement starts with none.
  expect((await app.query('select 1 from longhaul.jobs')).rows).toEqual([]);
  await app.end();
});
