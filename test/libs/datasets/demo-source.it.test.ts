/** The demo's source on the run's real server: loaded once, whole or not at all, read-only to exports. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import {
  demoSourceOf,
  loadDemoSource,
  prepareDemoSource,
  type DemoSource,
} from '../../../libs/datasets/demo-source.js';
import { eventually } from '../../support/stack.js';

const ADMIN = () => inject('postgres').adminUrl;
let source: DemoSource;

beforeAll(async () => {
  source = await prepareDemoSource(ADMIN());
});
afterAll(async () => {
  const admin = new pg.Client({ connectionString: ADMIN() });
  await admin.connect();
  await admin.query('drop database demo with (force)');
  await admin.end();
});

async function ask<R extends pg.QueryResultRow>(sql: string, url = source.ownerUrl): Promise<R[]> {
  const connection = new pg.Client({ connectionString: url });
  await connection.connect();
  try {
    return (await connection.query<R>(sql)).rows;
  } finally {
    await connection.end();
  }
}

test('is prepared as often as one likes, empty and not ready', async () => {
  expect(await prepareDemoSource(ADMIN())).toEqual(demoSourceOf(ADMIN()));
  expect(await ask('select dataset, ready, rows::int from loads order by 1', source.readerUrl)).toEqual([
    { dataset: 'birdstrikes', ready: false, rows: 0 },
    { dataset: 'flights', ready: false, rows: 0 },
  ]);
});

test('a loader killed in the middle leaves nothing half, and the next one finishes', async () => {
  const module = fileURLToPath(new URL('../../../libs/datasets/demo-source.ts', import.meta.url));
  const script = `import(${JSON.stringify(module)}).then((m) => m.loadDemoSource(process.env.DEMO_URL))`;
  const loader = spawn(process.execPath, ['--import', 'tsx', '-e', script], {
    env: { ...process.env, DEMO_URL: source.ownerUrl },
    stdio: 'ignore',
  });
  await eventually('the loader to be in the middle', async () => {
    const [row] = await ask<{ rows: string }>(`select rows from loads where dataset = 'flights'`);
    return Number(row?.rows) > 0;
  });
  loader.kill('SIGKILL');
  expect(await ask('select count(*)::int as rows from flights', source.readerUrl)).toEqual([{ rows: 0 }]);

  const seen: number[] = [];
  await loadDemoSource(source.ownerUrl, ({ rows }) => seen.push(rows));
  expect(seen.at(-1)).toBe(3_000_000);
  expect(
    await ask(
      `select count(*)::int as rows, min(flight_id)::int as low, max(flight_id)::int as high, sum(delay)::int as delay from flights`,
      source.readerUrl,
    ),
  ).toEqual([{ rows: 3_000_000, low: 1, high: 3_000_000, delay: expect.any(Number) as number }]);
  expect(await ask('select * from flights where flight_id = 1', source.readerUrl)).toMatchObject([
    { delay: 33, distance: 2176, origin: 'LAS', destination: 'PHL' },
  ]);
  expect(await ask('select count(*)::int as rows from birdstrikes', source.readerUrl)).toEqual([
    { rows: 10_000 },
  ]);
  expect(await ask('select bool_and(ready) as ready from loads', source.readerUrl)).toEqual([
    { ready: true },
  ]);
}, 120_000);

test('loaded, it takes no time and changes nothing', async () => {
  const before = await ask('select updated_at from loads order by dataset');
  await loadDemoSource(source.ownerUrl);
  expect(await ask('select updated_at from loads order by dataset')).toEqual(before);
});

test('its reader can only read', async () => {
  await expect(ask('delete from flights where flight_id = 1', source.readerUrl)).rejects.toThrow();
  await expect(ask(`begin read write; delete from flights`, source.readerUrl)).rejects.toThrow(
    'permission denied',
  );
});
