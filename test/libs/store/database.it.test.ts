import { v7 as uuidv7 } from 'uuid';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inTenant, openDatabase, type Database } from '../../../libs/store/database.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';

let testDatabase: TestDatabase;
let app: Database;
const [tenantA, tenantB] = [uuidv7(), uuidv7()];
const jobOfA = uuidv7();

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  const owner = new pg.Client({ connectionString: testDatabase.url });
  await owner.connect();
  await owner.query(`insert into longhaul.tenants (id, name) values ($1, 'a'), ($2, 'b')`, [
    tenantA,
    tenantB,
  ]);
  await owner.end();
  app = openDatabase(testDatabase.url, 'app');
  await app.query(`select longhaul.accept($1, 'POST /jobs', null, null, $2)`, [
    tenantA,
    JSON.stringify([
      { id: jobOfA, kind: 'a.b', input: '', digest: '00', deadlineMs: 60_000, restart: false },
    ]),
  ]);
});

afterAll(async () => {
  await app.end();
  await testDatabase.close();
});

const TABLES = [
  'tenants',
  'tenant_keys',
  'jobs',
  'outbox',
  'effects',
  'dead_letters',
  'artifacts',
  'idempotency',
];

describe('row-level security', () => {
  test.each(TABLES)('is forced on %s', async (table) => {
    const { rows } = await app.query<{ relrowsecurity: boolean; relforcerowsecurity: boolean }>(
      `select relrowsecurity, relforcerowsecurity from pg_class where oid = $1::regclass`,
      [`longhaul.${table}`],
    );
    expect(rows).toEqual([{ relrowsecurity: true, relforcerowsecurity: true }]);
  });

  test.each(['app', 'worker'] as const)('shows %s no row when no tenant is set', async (role) => {
    const database = openDatabase(testDatabase.url, role);
    const { rows } = await database.query(`select id from longhaul.jobs`);
    await database.end();
    expect(rows).toEqual([]);
  });

  test('shows a tenant its own rows and nobody else’s', async () => {
    const jobsOf = (tenant: string) =>
      inTenant(
        app,
        tenant,
        async (connection) => (await connection.query<{ id: string }>(`select id from longhaul.jobs`)).rows,
      );
    expect(await jobsOf(tenantA)).toEqual([{ id: jobOfA }]);
    expect(await jobsOf(tenantB)).toEqual([]);
  });

  test('refuses to write a row for another tenant', async () => {
    const write = inTenant(app, tenantB, (connection) =>
      connection.query(`insert into longhaul.outbox (job_id, tenant_id, message) values ($1, $2, 'cancel')`, [
        jobOfA,
        tenantA,
      ]),
    );
    await expect(write).rejects.toThrow(/row-level security/);
  });

  test('forgets the tenant with the transaction', async () => {
    await inTenant(app, tenantA, (connection) => connection.query('select 1'));
    const { rows } = await app.query<{ tenant: string | null }>(`select longhaul.current_tenant() as tenant`);
    expect(rows).toEqual([{ tenant: null }]);
  });
});

test('a transaction that fails leaves nothing and gives a working connection back', async () => {
  const failing = inTenant(app, tenantA, async (connection) => {
    await connection.query(`update longhaul.jobs set cancel_reason = 'lost' where id = $1`, [jobOfA]);
    throw new Error('on purpose');
  });
  await expect(failing).rejects.toThrow('on purpose');
  const { rows } = await inTenant(app, tenantA, (connection) =>
    connection.query<{ cancel_reason: string | null }>(`select cancel_reason from longhaul.jobs`),
  );
  expect(rows).toEqual([{ cancel_reason: null }]);
});
