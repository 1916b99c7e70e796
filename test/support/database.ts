/** A migrated database of its own for each test file that asks, cloned from the run's template in milliseconds. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';

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
    close: () => asAdministrator(server.adminUrl, `drop database if exists ${name} with (force)`),
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
