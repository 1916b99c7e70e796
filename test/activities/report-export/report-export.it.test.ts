/** The whole export over real databases and a real folder: one moment, right bytes, nothing left behind. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { to as copyTo } from 'pg-copy-streams';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Ledger } from '../../../libs/saga/ledger.js';
import type { AttemptEvent } from '../../../libs/saga/memory.js';
import { createExportBench, JOB_ID, type ExportBench } from '../../support/exports.js';
import { eventually } from '../../support/stack.js';
import { unzstd } from '../../../scripts/unzstd.js';

const ROWS = 600_000;
const TOTAL = ROWS * 100;
const OUTPUT_BYTES_MAX = 1 << 30;
const EACH_COMPRESSION = [undefined, 'gzip', 'zstd'] as const;

let bench: ExportBench;

beforeAll(async () => {
  const base = { source: 'SOURCE_URL', tenants: ['acme'] };
  bench = await createExportBench({
    accounts: {
      ...base,
      query: 'select id, owner, balance from accounts',
      key: 'id',
      columns: { id: 'bigint', owner: 'text', balance: 'integer' },
      filters: { id: ['lte', 'gt'], owner: ['eq'] },
      orders: ['balance'],
    },
    breaking: {
      ...base,
      // The last rows cannot be computed: parts before them are written already.
      query: 'select id, 1 / (590000 - id) as ratio from accounts',
      key: 'id',
      columns: { id: 'bigint', ratio: 'integer' },
    },
    slow: {
      ...base,
      query:
        'select id, owner, balance, pg_sleep(case when id % 25000 = 0 then 0.05 else 0 end)::text as nap from accounts',
      key: 'id',
      columns: { id: 'bigint', owner: 'text', balance: 'integer', nap: 'text' },
    },
    waking: {
      ...base,
      query: 'select id from accounts where id <= 10',
      key: 'id',
      columns: { id: 'bigint' },
      readiness: 'select ready, message from wakes',
    },
    others: { ...base, tenants: ['globex'], query: 'select 1 as id', key: 'id', columns: { id: 'integer' } },
    ghost: { ...base, query: 'select id from nowhere', key: 'id', columns: { id: 'integer' } },
    keyless: {
      ...base,
      query: 'select nullif(id, 7) as id from accounts where id < 10',
      key: 'id',
      columns: { id: 'bigint' },
    },
    many: {
      ...base,
      query: 'select i as id from generate_series(1, 1048576) i',
      key: 'id',
      columns: { id: 'integer' },
    },
    // Each of these characters is two to Excel.
    long: {
      ...base,
      query: `select 1 as id, repeat('\u{1F600}', 16384) as body`,
      key: 'id',
      columns: { id: 'integer', body: 'text' },
    },
    restless: {
      ...base,
      query: 'select id from accounts where random() < 0.5',
      key: 'id',
      columns: { id: 'bigint' },
    },
  });
  await bench.source.query(
    `
    create table accounts (id bigint primary key, owner text not null, balance int not null) with (fillfactor = 50);
    insert into accounts select i, case when i % 1000 = 0 then '=owner ' || i else 'owner, "' || i || '"' end, 100 from generate_series(1, ${ROWS}) i;
    create table wakes (ready boolean, message text);
    insert into wakes values (false, 'Still asleep.');
    vacuum analyze accounts`.replaceAll('vacuum analyze accounts', ''),
  );
  await bench.source.query('vacuum analyze accounts');
}, 120_000);
afterAll(() => bench.close());
afterEach(() => bench.reset());

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const begun = (trace: readonly AttemptEvent[], step: string) =>
  trace.filter((event) => event.step === step && event.role === 'step' && event.what === 'begin');

interface Result {
  rows: number;
  bytes: number;
  sha256: string;
  filename: string;
  contentType: string;
}

function resultOf(run: { end: unknown }): Result {
  expect(run.end).toMatchObject({ status: 'SUCCEEDED' });
  return (run.end as { result: Result }).result;
}

/** Ends the backend that copies the part in the middle of the keys. */
async function breakMiddlePart(): Promise<number> {
  return eventually('the part to be copied', async () => {
    const { rows } = await bench.source.query<{ ended: boolean }>(
      `select pg_terminate_backend(pid) as ended from pg_stat_activity where state = 'active'
         and query like 'copy%' and query like '%>= %' and query like '%< %' and pid <> pg_backend_pid() limit 1`,
    );
    return rows.length > 0 && rows.length;
  });
}

async function copied(sql: string): Promise<Buffer> {
  const connection = await bench.source.connect();
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of connection.query(copyTo(sql))) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  } finally {
    connection.release();
  }
}

describe('the file', () => {
  test('is byte for byte what one COPY writes, with its checksum and count', async () => {
    const run = await bench.run({ dataset: 'accounts' });
    const expected = await copied(
      `copy (select id, case when owner ~ '^[=+@-]' then '''' || owner else owner end as owner, balance
         from accounts order by id) to stdout with (format csv, header)`,
    );
    const result = resultOf(run);
    expect(result).toMatchObject({
      rows: ROWS,
      bytes: expected.length,
      sha256: sha256(expected),
      filename: 'accounts-1.csv',
    });
    expect(begun(run.trace, 'render')).toHaveLength(3);
    expect((await bench.read(`${JOB_ID}.0`)).equals(expected)).toBe(true);
    expect(await bench.leftovers('uploads')).toEqual([]);
  });

  test('has the columns, rows and order that were asked for', async () => {
    const run = await bench.run({
      dataset: 'accounts',
      columns: ['balance', 'id'],
      filter: { id: { gt: 5, lte: 8 } },
      order: { column: 'id', direction: 'desc' },
    });
    expect(resultOf(run).rows).toBe(3);
    expect((await bench.read(`${JOB_ID}.0`)).toString()).toBe('balance,id\n100,8\n100,7\n100,6\n');
  });

  test('of any order but the key’s is one part', async () => {
    const run = await bench.run({
      dataset: 'accounts',
      columns: ['id'],
      order: { column: 'balance', direction: 'asc' },
    });
    expect(resultOf(run).rows).toBe(ROWS);
    expect(begun(run.trace, 'render')).toHaveLength(1);
  });

  test('of no rows is a header', async () => {
    const run = await bench.run({
      dataset: 'accounts',
      filter: { owner: { eq: "nobody'; drop table accounts" } },
    });
    expect(resultOf(run).rows).toBe(0);
    expect((await bench.read(`${JOB_ID}.0`)).toString()).toBe('id,owner,balance\n');
  });

  test('is recorded with its expiry, 24 hours on', async () => {
    await bench.run({ dataset: 'accounts', filter: { id: { lte: 3 } } });
    const { rows } = await bench.relay.query(
      `select location, filename, rows::int, expires_at - published_at = interval '24 hours' as lives from longhaul.artifacts`,
    );
    expect(rows).toEqual([{ location: `${JOB_ID}.0`, filename: 'accounts-1.csv', rows: 3, lives: true }]);
  });
});

describe('a compressed file', () => {
  /** The system's own, as a reader of the file has it. */
  const gunzip = (file: Buffer): Buffer =>
    execFileSync('gunzip', ['-c'], { input: file, maxBuffer: OUTPUT_BYTES_MAX });

  const PLAIN = `copy (select row_to_json(r) from (select id, owner, balance from accounts order by id) r)
    to stdout with (format csv, quote E'\\x01', delimiter E'\\x02')`;

  test.each([
    ['gzip', 'accounts-1.ndjson.gz', 'application/gzip', gunzip],
    ['zstd', 'accounts-1.ndjson.zst', 'application/zstd', unzstd],
  ] as const)('of many parts is read whole: %s', async (compression, filename, contentType, decompress) => {
    const run = await bench.run({ dataset: 'accounts', format: 'ndjson', compression });
    const file = await bench.read(`${JOB_ID}.0`);
    expect(resultOf(run)).toMatchObject({
      rows: ROWS,
      bytes: file.length,
      sha256: sha256(file),
      filename,
      contentType,
    });
    expect(begun(run.trace, 'render')).toHaveLength(3);
    const plain = await copied(PLAIN);
    expect(file.length).toBeLessThan(plain.length / 3);
    expect(decompress(file).equals(plain)).toBe(true);
    // What was told on the way is of the file, too.
    const parts = [...run.ledger.rows.values()].filter(({ step }) => step === 'render');
    expect(parts.reduce((sum, { progress }) => sum + (progress?.bytes ?? 0), 0)).toBe(file.length);
    expect(parts.reduce((sum, { progress }) => sum + (progress?.done ?? 0), 0)).toBe(ROWS);
  });

  test.each(['gzip', 'zstd'] as const)(
    'has the same bytes when a part had to be repeated: %s',
    async (compression) => {
      const selection = { dataset: 'slow', columns: ['id', 'nap'], compression };
      const undisturbed = resultOf(await bench.run(selection));
      await bench.reset();
      let broken = 0;
      const run = await bench.run(selection, {
        onEvent: ({ step, role, what, item, attempt }) => {
          if (step !== 'render' || role !== 'step' || what !== 'begin' || item !== 1 || attempt !== 1) return;
          void breakMiddlePart().then((count) => (broken += count));
        },
      });
      expect(resultOf(run)).toEqual({ ...undisturbed, expiresAt: expect.any(String) as string });
      expect(broken).toBe(1);
      expect(begun(run.trace, 'render')).toHaveLength(4);
    },
  );
});

describe('a workbook', () => {
  test('is one part, in any order, and the same bytes again', async () => {
    const selection = {
      dataset: 'accounts',
      format: 'xlsx' as const,
      filter: { id: { lte: 300_000 } },
      order: { column: 'id', direction: 'desc' as const },
    };
    const run = await bench.run(selection);
    const file = await bench.read(`${JOB_ID}.0`);
    const result = resultOf(run);
    expect(result).toMatchObject({
      rows: 300_000,
      bytes: file.length,
      sha256: sha256(file),
      filename: 'accounts-1.xlsx',
      contentType: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
    });
    expect(begun(run.trace, 'render')).toHaveLength(1);
    await bench.reset();
    expect(resultOf(await bench.run(selection)).sha256).toBe(result.sha256);
  });

  test.each([
    ['many', 'too_many_rows', 'has 1048576 rows, and XLSX holds 1048575. Ask for CSV'],
    ['long', 'cell_too_long', 'has 32768 characters, and a cell of XLSX holds 32767. Ask for CSV'],
  ])('that could not be opened is refused, with what to do: %s', async (dataset, code, told) => {
    const run = await bench.run({ dataset, format: 'xlsx' });
    expect(run.end).toMatchObject({ status: 'FAILED', error: { code, step: 'plan' } });
    expect(JSON.stringify(run.end)).toContain(told);
    expect(await bench.leftovers('uploads')).toEqual([]);
  });
});

describe('one moment', () => {
  test('rows updated all through the export never mix', async () => {
    const stop = new AbortController();
    await bench.source.query(`insert into accounts values (${ROWS + 1}, 'new', 0)`);
    const moving = keepMoving(stop.signal);
    // One part after the other, and between them money goes from the first part's rows to the last part's.
    const done = [
      Promise.withResolvers<void>(),
      Promise.withResolvers<void>(),
      Promise.withResolvers<void>(),
    ];
    const inTurn = (ledger: Ledger): Ledger => ({
      ...ledger,
      async claim(claim) {
        if (claim.step === 'render' && claim.item) {
          await done[claim.item - 1]?.promise;
          await bench.source.query(
            `update accounts set balance = balance + case when id < 10 then -7 else 7 end
               where id < 10 or id between ${ROWS - 8} and ${ROWS}`,
          );
        }
        return ledger.claim(claim);
      },
      complete(claim, ...rest) {
        if (claim.step === 'render') done[claim.item ?? 0]?.resolve();
        return ledger.complete(claim, ...rest);
      },
    });
    try {
      const run = await bench.run(
        { dataset: 'slow', columns: ['id', 'balance', 'nap'] },
        {
          wrapLedger: inTurn,
        },
      );
      expect(resultOf(run).rows).toBe(ROWS + 1);
    } finally {
      stop.abort();
    }
    expect(await moving).toBeGreaterThan(5);
    const lines = (await bench.read(`${JOB_ID}.0`)).toString().trimEnd().split('\n').slice(1);
    const balances = lines.map((line) => Number(line.split(',')[1]));
    expect(balances.reduce((sum, balance) => sum + balance, 0)).toBe(TOTAL);
    // It did move under the export: what is there now is not what was written.
    const { rows } = await bench.source.query('select sum(abs(balance - 100))::int as moved from accounts');
    const moved = (rows[0] as { moved: number }).moved;
    expect(moved).toBeGreaterThan(balances.reduce((sum, balance) => sum + Math.abs(balance - 100), 0));
  });

  /** Moves money from the first rows to the last, and one row ever further along, in small transactions. */
  async function keepMoving(signal: AbortSignal): Promise<number> {
    const connection = await bench.source.connect();
    let transfers = 0;
    try {
      for (; !signal.aborted; transfers += 1) {
        const from = 1 + ((transfers * 997) % (ROWS / 2));
        await connection.query(`
          begin;
          update accounts set balance = balance - 1 where id between ${from} and ${from + 99};
          update accounts set balance = balance + 1 where id between ${ROWS - from - 98} and ${ROWS - from + 1};
          delete from accounts where id > ${ROWS};
          insert into accounts values (${ROWS + 2 + transfers}, 'new', 0);
          commit`);
      }
      await connection.query(`delete from accounts where id > ${ROWS}`);
    } finally {
      connection.release();
    }
    return transfers;
  }
});

describe('the keeper', () => {
  test('lost, the export starts over from a new moment', async () => {
    let killed = 0;
    const run = await bench.run(
      { dataset: 'slow', columns: ['id', 'nap'] },
      {
        onEvent: (event) => {
          const { step, role, what, generation } = event;
          if (
            step === 'render' &&
            role === 'step' &&
            what === 'begin' &&
            generation === 0 &&
            killed++ === 0
          ) {
            void bench.source.query(
              `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'longhaul-snapshot'`,
            );
          }
        },
      },
    );
    expect(killed).toBeGreaterThan(0);
    expect(resultOf(run).rows).toBe(ROWS);
    expect(begun(run.trace, 'plan').map(({ generation }) => generation)).toEqual([0, 1]);
    expect(await bench.leftovers('uploads')).toEqual([]);
    expect(await bench.leftovers('published')).toEqual([`${JOB_ID}.1`]);
    await expect(bench.store.openUpload(`${JOB_ID}/0`)).rejects.toThrow('closed');
  });

  test('is let go when the parts are done', async () => {
    await bench.run({ dataset: 'accounts', filter: { id: { lte: 3 } } });
    await eventually('no snapshot to be held', async () => {
      const { rowCount } = await bench.source.query(
        `select from pg_stat_activity where application_name = 'longhaul-snapshot' and datname = current_database()`,
      );
      return rowCount === 0;
    });
  });

  test('waits for a dataset that is being loaded, and says so', async () => {
    await bench.source.query(`update wakes set ready = false`);
    const said: (string | undefined)[] = [];
    const run = await bench.run(
      { dataset: 'waking' },
      {
        // What the API shows while it waits: the step's last word on its progress.
        wrapLedger: (ledger) => ({
          ...ledger,
          fail: async (claim, report) => {
            said.push(report.progress?.message);
            await bench.source.query(`update wakes set ready = true`);
            return ledger.fail(claim, report);
          },
        }),
      },
    );
    expect(resultOf(run).rows).toBe(10);
    expect(said).toEqual(['Still asleep.']);
    const keep = [...run.ledger.rows.values()].find(({ step }) => step === 'keep');
    expect(keep?.attempt).toBe(1);
    expect(keep?.progress?.message).toMatch(/^Rows are as of 20/);
  });
});

describe('an export that does not end well', () => {
  test.each(EACH_COMPRESSION)('leaves no part behind when it fails: %s', async (compression) => {
    const run = await bench.run({ dataset: 'breaking', compression });
    expect(run.end).toMatchObject({
      status: 'FAILED',
      compensated: 'all',
      error: { code: 'database_refused', step: 'render' },
    });
    expect(await bench.leftovers('uploads')).toEqual([]);
    expect(await bench.leftovers('published')).toEqual([]);
    expect(await bench.leftovers('trash')).toEqual([]);
  });

  test.each(EACH_COMPRESSION)(
    'cancelled leaves no part behind, and no query running: %s',
    async (compression) => {
      let renders = 0;
      const run = await bench.run(
        { dataset: 'slow', columns: ['id', 'nap'], compression },
        { cancelAt: ({ step, what }) => step === 'render' && what === 'begin' && ++renders === 3 },
      );
      expect(run.end).toMatchObject({ status: 'CANCELLED', compensated: 'all', leftovers: [] });
      expect(await bench.leftovers('uploads')).toEqual([]);
      expect(await bench.leftovers('published')).toEqual([]);
      await eventually('no COPY to be running', async () => {
        const { rowCount } = await bench.source.query(
          `select from pg_stat_activity where query like 'copy%' and state = 'active' and pid <> pg_backend_pid()`,
        );
        return rowCount === 0;
      });
    },
  );

  test('repeats only the part whose connection broke', async () => {
    let broken = 0;
    const run = await bench.run(
      { dataset: 'slow', columns: ['id', 'nap'] },
      {
        onEvent: ({ step, role, what, item, attempt }) => {
          if (step !== 'render' || role !== 'step' || what !== 'begin' || item !== 1 || attempt !== 1) return;
          void breakMiddlePart().then((count) => (broken += count));
        },
      },
    );
    expect(resultOf(run).rows).toBe(ROWS);
    expect(broken).toBe(1);
    expect(begun(run.trace, 'render')).toHaveLength(4);
    expect(begun(run.trace, 'plan')).toHaveLength(1);
  });

  test.each([
    ['others', { status: 'FAILED', error: { code: 'dataset_not_found' } }],
    ['keyless', { status: 'FAILED', error: { code: 'dataset_key_missing' } }],
  ])('says why: %s', async (dataset, end) => {
    expect((await bench.run({ dataset })).end).toMatchObject(end);
  });

  test('refuses rows that are not the same twice', async () => {
    const run = await bench.run({ dataset: 'restless' });
    expect(run.end).toMatchObject({
      status: 'FAILED',
      compensated: 'all',
      error: { code: 'row_count_mismatch' },
    });
    expect(await bench.leftovers('uploads')).toEqual([]);
  });

  test('parks where the operator’s query is wrong', async () => {
    const run = await bench.run({ dataset: 'ghost' }, { stopWhenParked: true });
    expect(run.end).toBeUndefined();
    expect(run.state).toMatchObject({ phase: 'parked', park: { step: 'plan' } });
    expect(run.ledger.letters[0]).toBeDefined();
  });
});

describe('progress', () => {
  test('has the total from the count, and rows and bytes that end exactly', async () => {
    const run = await bench.run({ dataset: 'accounts', columns: ['id'] });
    const rows = [...run.ledger.rows.values()];
    expect(rows.find(({ step }) => step === 'plan')?.progress).toEqual({ unit: 'rows' });
    expect(rows.find(({ step }) => step === 'count')?.progress).toEqual({ total: ROWS, unit: 'rows' });
    const parts = rows.filter(({ step }) => step === 'render').map(({ progress }) => progress);
    expect(parts.reduce((sum, progress) => sum + (progress?.done ?? 0), 0)).toBe(ROWS);
    expect(parts.reduce((sum, progress) => sum + (progress?.bytes ?? 0), 0)).toBe(resultOf(run).bytes);
  });
});
