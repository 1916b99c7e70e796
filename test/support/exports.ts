/** `report.export` in memory over real parts: PostgreSQL as source and as Longhaul's own, and a folder of artifacts. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { reportExport as implement } from '../../activities/report-export/report-export.js';
import type { ExportResources } from '../../activities/resources.js';
import { createFolderStore, type FolderStore } from '../../libs/artifacts/folder-store.js';
import { parseDatasets } from '../../libs/datasets/datasets.js';
import { openSources } from '../../libs/datasets/sources.js';
import { runInMemory, type MemoryRun, type MemoryRunOptions } from '../../libs/saga/memory.js';
import { openDatabase, type Database } from '../../libs/store/database.js';
import { reportExport as definition, type ReportExportInput } from '../../workflows/report-export.job.js';
import { createTestDatabase } from './database.js';
import { createRealClock } from './real-clock.js';
import { openTransaction } from './tenant-transaction.js';

/** The ids every job in memory has. */
export const TENANT_ID = '00000000-0000-7000-8000-000000000001';
export const JOB_ID = '00000000-0000-7000-8000-000000000002';

const ROWS_PER_PART = 250_000;

export interface ExportBench {
  /** The source database, as its owner. */
  readonly source: pg.Pool;
  readonly relay: Database;
  readonly store: FolderStore;
  readonly resources: ExportResources;
  run(
    input: Partial<ReportExportInput> & { dataset: string },
    options?: Partial<MemoryRunOptions<typeof definition>>,
  ): Promise<MemoryRun>;
  /** Names of everything in the store's folders: uploads, published, trash. */
  leftovers(folder: 'uploads' | 'published' | 'trash'): Promise<string[]>;
  read(location: string): Promise<Buffer>;
  /** Forgets the last run's job, file and row. */
  reset(): Promise<void>;
  /** Which versions of what were made, too. */
  forgetDocuments(): Promise<void>;
  close(): Promise<void>;
}

/** Opens the bench with these datasets, whose source is `SOURCE_URL`. */
export async function createExportBench(datasets: Record<string, object>): Promise<ExportBench> {
  const [own, other] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  const root = await mkdtemp(join(tmpdir(), 'longhaul-artifacts-'));
  const source = openPool(other.url);
  const owner = openPool(own.url);
  const worker = openDatabase(own.url, 'worker');
  const relay = openDatabase(own.url, 'relay');
  const app = openDatabase(own.url, 'app', { max: 1 });
  const known = parseDatasets({ datasets });
  const sources = openSources(known, { SOURCE_URL: other.url });
  const store = createFolderStore({ root, publicUrl: 'http://localhost', secret: Buffer.alloc(32) });
  const resources: ExportResources = {
    database: worker,
    artifacts: store,
    datasets: known,
    sources,
    rowsPerPart: ROWS_PER_PART,
  };
  await owner.query(`insert into longhaul.tenants (id, name) values ($1, 'acme')`, [TENANT_ID]);
  await acceptJob(app);
  return {
    source,
    relay,
    store,
    resources,
    run: (input, options) =>
      runInMemory(definition, implement(resources), {
        input: { version: 1, format: 'csv', ...input },
        clock: createRealClock(),
        openTransaction: () => openTransaction(worker, TENANT_ID),
        ...options,
      }),
    leftovers: (folder) => readdir(join(root, folder)).catch(() => []),
    async read(location) {
      const body = await store.read(location);
      if (!body) throw new Error(`Nothing is published at ${location}`);
      const chunks: Buffer[] = [];
      for await (const chunk of body.stream) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks);
    },
    async reset() {
      await rm(root, { recursive: true, force: true });
      // Nobody may delete artifacts but the cluster's owner, for whom row-level security is switched off here.
      await owner.query('truncate longhaul.artifacts, longhaul.export_parts');
    },
    forgetDocuments: async () => void (await owner.query('truncate longhaul.documents')),
    async close() {
      await sources.close();
      await Promise.all([source.end(), owner.end(), worker.end(), relay.end(), app.end()]);
      await Promise.all([own.close(), other.close(), rm(root, { recursive: true, force: true })]);
    },
  };
}

function openPool(url: string): pg.Pool {
  const pool = new pg.Pool({ connectionString: url });
  pool.on('error', () => undefined);
  return pool;
}

async function acceptJob(app: Database): Promise<void> {
  const job = { id: JOB_ID, kind: definition.kind, input: '', digest: '', deadlineMs: definition.deadlineMs };
  await app.query(`select longhaul.accept($1, '/jobs', null, null, $2)`, [TENANT_ID, JSON.stringify([job])]);
}
