import { afterAll, beforeAll, expect, it } from 'vitest';
import { inTransaction } from '../../../libs/store/database.js';
import { createTenantJobs, type TenantJobs } from '../../support/tenant-jobs.js';

const FIRST = 20;
const MORE = 300;

let jobs: TenantJobs;
beforeAll(async () => {
  jobs = await createTenantJobs();
});
afterAll(() => jobs.close());

it('accepts without reading the tenant’s other jobs, on a connection that planned while there were none', async () => {
  await inTransaction(jobs.app, async (connection) => {
    const accept = async (count: number, from: number): Promise<void> => {
      for (let place = from; place < from + count; place += 1) {
        const id = `00000000-0000-7000-8000-${String(place).padStart(12, '0')}`;
        const job = {
          id,
          kind: 'report.export',
          key: `key-${place}`,
          input: '',
          digest: '00',
          deadlineMs: 1_000,
        };
        await connection.query({
          name: 'accept',
          text: `select longhaul.accept($1, '/jobs', null, null, $2)`,
          values: [jobs.tenantId, JSON.stringify([job])],
        });
      }
    };
    const read = async (): Promise<number> => {
      const { rows } = await connection.query<{ read: string }>(
        `select sum(pg_stat_get_xact_tuples_fetched(indexrelid) + pg_stat_get_xact_tuples_returned(indexrelid)) as read
           from pg_index where indrelid = 'longhaul.jobs'::regclass`,
      );
      return Number(rows[0]?.read);
    };
    await accept(FIRST, 0);
    const before = await read();
    await accept(MORE, FIRST);
    // One for the outbox's foreign key; a few more would be as good, all of them not.
    expect((await read()) - before).toBeLessThan(MORE * 4);
  });
});
