/** Documents over HTTP: asked for by POST, found by what they are of. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { announceArtifact } from '../../../libs/artifacts/announcements.store.js';
import { createClient } from '../../../libs/client/client.js';
import { parseDocumentTemplates } from '../../../libs/documents/document-templates.js';
import { recordDocument } from '../../../libs/documents/documents.store.js';
import { inTenant } from '../../../libs/store/database.js';
import { documentPdf } from '../../../workflows/document-pdf.job.js';
import { DATASETS, INVOICE } from '../../libs/documents/setup.js';
import { startTestApi, type TestApi } from './support.js';

const SHA = 'a'.repeat(64);
const OBJECT = 'INV/2026 ü-0042';
const PATH = `/documents/invoice/${encodeURIComponent(OBJECT)}`;

let t: TestApi;
beforeAll(async () => {
  t = await startTestApi({
    datasets: DATASETS,
    documents: parseDocumentTemplates({ invoice: INVOICE }, DATASETS),
  });
});
afterAll(async () => t.close());

const ask = (input: object, key = t.acme.key) => t.call('POST', '/documents', { key, json: input });

/** What the job's last step would write. */
async function announce(jobId: string, version: number, ttlMs = 60_000): Promise<void> {
  const job = { id: jobId, tenantId: t.acme.id, kind: documentPdf.kind };
  await inTenant(t.worker, t.acme.id, async (tx) => {
    await announceArtifact(tx, job, {
      ...{ store: 'folder', location: `${jobId}.0`, bytes: 500, sha256: SHA, rows: 24, ttlMs },
      ...{ filename: `invoice-v${version}.pdf`, contentType: 'application/pdf' },
    });
    const ref = { template: 'invoice', object: OBJECT, version };
    expect(await recordDocument(tx, ref, { sha256: SHA, rowsSha256: SHA, pages: 2, jobId })).toBe(true);
  });
}

test('is asked for by template, object and version; the same again is the same job', async () => {
  const input = { template: 'invoice', object: 'INV-1', version: 1 };
  const first = await ask(input);
  expect([first.status, first.json.kind, first.json.key]).toEqual([202, 'document.pdf', 'invoice/INV-1/1']);
  const again = await ask(input);
  expect([again.status, again.json.id]).toEqual([200, first.json.id]);
});

test.each([
  ['a template that is not there', { template: 'poem' }, '/template'],
  ['no version', { version: undefined }, '/version'],
  ['a version that is none', { version: 0 }, '/version'],
  ['an object with a line break', { object: 'a\nb' }, '/object'],
  ['a field too many', { paper: 'a4' }, '/paper'],
])('%s is refused, and where it is wrong is said', async (_, change, pointer) => {
  const answer = await ask({ template: 'invoice', object: 'INV-1', version: 1, ...change });
  expect([answer.status, answer.json.code]).toEqual([422, 'validation_failed']);
  expect(answer.json.errors.map((error) => error.pointer)).toEqual([pointer]);
});

test('a template is there for its tenants only', async () => {
  const answer = await ask({ template: 'invoice', object: 'INV-1', version: 1 }, t.rival.key);
  expect(answer.json.errors).toEqual([{ pointer: '/template', detail: 'There is no document "invoice".' }]);
});

test('is found by what it is of: nothing, then the newest, or the version asked for, for its tenant alone', async () => {
  const jobs = await Promise.all(
    [1, 2].map((version) => ask({ template: 'invoice', object: OBJECT, version })),
  );
  const [first = '', second = ''] = jobs.map(({ json }) => json.id);
  const none = await t.call('GET', PATH);
  expect([none.status, none.json.code]).toEqual([404, 'document_not_found']);

  await announce(first, 1);
  await announce(second, 2);
  const newest = await t.call('GET', PATH);
  expect(newest.status).toBe(303);
  expect(newest.headers.get('location')).toContain(`/artifacts/${second}.0`);
  expect(newest.headers.get('content-location')).toBe(`${t.url}${PATH}?version=2`);
  const older = await t.call('GET', `${PATH}?version=1`, { headers: { accept: 'application/json' } });
  expect([older.status, older.json.sha256, older.json.filename]).toEqual([200, SHA, 'invoice-v1.pdf']);

  const client = createClient({ url: t.url, key: t.acme.key });
  expect(await client.document('invoice', OBJECT)).toMatchObject({ filename: 'invoice-v2.pdf', rows: 24 });
  expect(await client.document('invoice', OBJECT, { version: 1 })).toMatchObject({
    filename: 'invoice-v1.pdf',
  });

  expect((await t.call('GET', `${PATH}?version=3`)).status).toBe(404);
  expect((await t.call('GET', PATH, { key: t.rival.key })).status).toBe(404);
  expect((await t.call('GET', '/documents/Poem/x')).status).toBe(404);
  expect((await t.call('GET', `${PATH}?version=new`)).status).toBe(422);
});

test('one whose file has expired is gone, until it is made again', async () => {
  const { json } = await ask({ template: 'invoice', object: OBJECT, version: 7 });
  await announce(json.id, 7, 0);
  const gone = await t.call('GET', PATH);
  expect([gone.status, gone.json.code]).toEqual([410, 'result_expired']);
});
