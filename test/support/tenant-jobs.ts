/** A tenant with keys and accepted jobs, for tests below the API. */
import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { ensureTenant } from '../../libs/security/tenants.store.js';
import { createTenantCipher, type TenantCipher } from '../../libs/security/tenant-cipher.js';
import { inTransaction, openDatabase, type Connection, type Database } from '../../libs/store/database.js';
import { createTestDatabase } from './database.js';

export interface TenantJobs {
  readonly url: string;
  readonly masterKey: Buffer;
  readonly tenantId: string;
  readonly owner: pg.Pool;
  readonly app: Database;
  readonly relay: Database;
  readonly worker: Database;
  readonly cipher: TenantCipher;
  /** Accepts `count` jobs as the API does, in one transaction; answers their ids. */
  accept(kind: string, count?: number, input?: unknown): Promise<string[]>;
  /** The same inside a transaction of the caller's, as the role `app`. */
  acceptIn(connection: Connection, kind: string, count?: number, input?: unknown): Promise<string[]>;
  close(): Promise<void>;
}

/** A migrated database with one tenant in it. */
export async function createTenantJobs(deadlineMs = 3_600_000): Promise<TenantJobs> {
  const database = await createTestDatabase();
  const masterKey = randomBytes(32);
  const { default: postgres } = await import('pg');
  const owner = new postgres.Pool({ connectionString: database.url, max: 4 });
  owner.on('error', () => undefined);
  const tenantId = await ensureTenant(owner, 'acme', masterKey);
  const app = openDatabase(database.url, 'app', { max: 10 });
  const relay = openDatabase(database.url, 'relay', { max: 10 });
  const worker = openDatabase(database.url, 'worker', { max: 10 });
  const cipher = createTenantCipher(app, masterKey);

  const acceptIn: TenantJobs['acceptIn'] = async (
    connection,
    kind,
    count = 1,
    input = { secret: 'plain' },
  ) => {
    const jobs = await Promise.all(
      Array.from({ length: count }, async () => {
        const id = uuidv7();
        const text = JSON.stringify(input);
        const sealed = await cipher.encrypt(tenantId, Buffer.from(text), `${tenantId}/${id}/input`);
        const digest = await cipher.digest(tenantId, text);
        return { id, kind, input: sealed.toString('base64'), digest: digest.toString('hex'), deadlineMs };
      }),
    );
    await connection.query(`select longhaul.accept($1, '/jobs', null, null, $2)`, [
      tenantId,
      JSON.stringify(jobs),
    ]);
    return jobs.map((job) => job.id);
  };

  return {
    url: database.url,
    masterKey,
    tenantId,
    owner,
    app,
    relay,
    worker,
    cipher,
    acceptIn,
    accept: (kind, count, input) =>
      inTransaction(app, (connection) => acceptIn(connection, kind, count, input)),
    close: async () => {
      await Promise.all([owner.end(), app.end(), relay.end(), worker.end()]);
      await database.close();
    },
  };
}
