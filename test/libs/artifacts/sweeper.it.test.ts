import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFolderStore, type FolderStore } from '../../../libs/artifacts/folder-store.js';
import { sweepArtifacts } from '../../../libs/artifacts/sweeper.js';
import { inTenant, type Connection } from '../../../libs/store/database.js';
import { createTenantJobs, type TenantJobs } from '../../support/tenant-jobs.js';

const FILE = { filename: 'a.csv', contentType: 'text/csv' };
const never = new AbortController().signal;

let jobs: TenantJobs;
let root: string;
let store: FolderStore;

beforeEach(async () => {
  jobs = await createTenantJobs();
  root = await mkdtemp(join(tmpdir(), 'longhaul-sweep-'));
  store = createFolderStore({ root, publicUrl: 'http://localhost', secret: Buffer.alloc(32) });
});
afterEach(async () => {
  await jobs.close();
  await rm(root, { recursive: true, force: true });
});

async function upload(jobId: string): Promise<void> {
  await store.openUpload(`${jobId}/0`);
  await store.writePart(`${jobId}/0`, 0, Readable.from(['x']), never);
}

/** Publishes and, unless told otherwise, announces a file that expires in so many seconds. */
async function publish(jobId: string, expiresInSeconds?: number): Promise<void> {
  await upload(jobId);
  const { location, bytes, sha256 } = await store.publish(`${jobId}/0`, { parts: 1, ...FILE });
  if (expiresInSeconds === undefined) return;
  await inTenant(jobs.worker, jobs.tenantId, (connection) =>
    connection.query(
      `insert into longhaul.artifacts (job_id, tenant_id, store, location, filename, content_type, bytes, sha256, expires_at)
       values ($1, $2, 'folder', $3, $4, $5, $6, $7, now() + $8 * interval '1 second')`,
      [jobId, jobs.tenantId, location, FILE.filename, FILE.contentType, bytes, sha256, expiresInSeconds],
    ),
  );
}

async function end(...jobIds: string[]): Promise<void> {
  await inTenant(jobs.worker, jobs.tenantId, (connection) =>
    connection.query(
      `update longhaul.jobs set status = 'FAILED', phase = 'done', ended_at = now() where id = any($1::uuid[])`,
      [jobIds],
    ),
  );
}

const sweep = () => sweepArtifacts({ database: jobs.relay, store, graceMs: 0 });
const folder = (name: string) => readdir(join(root, name)).catch(() => []);

test('deletes what has expired, marks it, and leaves the rest', async () => {
  const [expired = '', fresh = ''] = await jobs.accept('report.export', 2);
  await publish(expired, -1);
  await publish(fresh, 3600);
  await end(expired, fresh);
  expect(await sweep()).toMatchObject({ expired: 1, orphans: 0 });
  expect(await folder('published')).toEqual([`${fresh}.0`]);
  const { rows } = await jobs.relay.query<{ job_id: string; gone: boolean }>(
    'select job_id, deleted_at is not null as gone from longhaul.artifacts order by expires_at',
  );
  expect(rows).toEqual([
    { job_id: expired, gone: true },
    { job_id: fresh, gone: false },
  ]);
  expect(await sweep()).toMatchObject({ expired: 0 });
});

test('drops uploads and unannounced files of ended jobs, never those of open ones', async () => {
  const [open = '', failed = '', parked = '', lost = ''] = await jobs.accept('report.export', 4);
  await upload(open);
  await upload(failed);
  await publish(parked);
  await publish(lost);
  await end(failed, lost);
  expect(await sweep()).toMatchObject({ uploads: 1, orphans: 1 });
  expect(await folder('uploads')).toEqual([`${open}.0`]);
  expect(await folder('published')).toEqual([`${parked}.0`]);
});

test('leaves alone what is not a job’s', async () => {
  await store.openUpload('by-hand/0');
  expect(await sweep()).toMatchObject({ uploads: 0 });
  expect(await folder('uploads')).toEqual(['by-hand.0']);
});

test('drops the plans of ended jobs', async () => {
  const [open = '', over = ''] = await jobs.accept('report.export', 2);
  await inTenant(jobs.worker, jobs.tenantId, (connection) =>
    connection.query(
      'insert into longhaul.export_parts (job_id, tenant_id, plan, part) select unnest($1::uuid[]), $2, 0, 0',
      [[open, over], jobs.tenantId],
    ),
  );
  await end(over);
  expect(await sweep()).toMatchObject({ plannedParts: 1 });
  expect((await jobs.relay.query('select job_id from longhaul.export_parts')).rows).toEqual([
    { job_id: open },
  ]);
});

test('a tenant sees its own plans only, and nobody any without a tenant', async () => {
  const [job = ''] = await jobs.accept('report.export');
  await inTenant(jobs.worker, jobs.tenantId, (connection) =>
    connection.query(
      'insert into longhaul.export_parts (job_id, tenant_id, plan, part) values ($1, $2, 0, 0)',
      [job, jobs.tenantId],
    ),
  );
  const partsSeenBy = async (tenantId: string | undefined): Promise<number | undefined> => {
    const ask = (connection: Pick<Connection, 'query'>) =>
      connection.query<{ parts: number }>('select count(*)::int as parts from longhaul.export_parts');
    const { rows } = await (tenantId === undefined ? ask(jobs.worker) : inTenant(jobs.worker, tenantId, ask));
    return rows[0]?.parts;
  };
  expect(await partsSeenBy(undefined)).toBe(0);
  expect(await partsSeenBy('0190b2f0-0000-7000-8000-00000000000f')).toBe(0);
  expect(await partsSeenBy(jobs.tenantId)).toBe(1);
});
