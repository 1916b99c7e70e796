/** A migrated database of its own for each test file that asks, cloned from the run's template in milliseconds. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';

const OBJECT_IN_USE = '55006';

export interface TestDatabase {
  /** The owner's login; give it to `openDatabase(url, role)`. */
  readonly url: string;
  /** Drops the database, whoever is still connected. */
  close(): Promise<void>;
}

/** Creates a database with Longhaul's schema and no tenant in it. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const server = inject('postgres');
  const name = `test_${randomBytes(6).toString('hex')}`;
  await asAdministrator(server.adminUrl, `create database ${name} template ${server.template}`);
  const url = new URL(server.adminUrl);
  url.pathname = `/${name}`;
  return {
    url: url.toString(),
    async close() {
      const drop = `drop database if exists ${name}`;
      // PostgreSQL waits up to 5 s for those who are just leaving: a pool has ended before its connections have.
      await asAdministrator(server.adminUrl, drop).catch(async (error: unknown) => {
        if (!(error instanceof pg.DatabaseError) || error.code !== OBJECT_IN_USE) throw error;
        await asAdministrator(server.adminUrl, `${drop} with (force)`);
      });
    },
  };
}

async function asAdministrator(url: string, sql: string): Promise<void> {
  const connection = new pg.Client({ connectionString: url });
  await connection.connect();
  try {
    await connection.query(sql);
  } finally {
    await connection.end();
  }
}
