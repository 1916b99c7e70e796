import { createHash } from 'node:crypto';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import fc from 'fast-check';
import pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CopyOut } from '../../../libs/store/copy-out.stream.js';
import { openCopySocket } from '../../../libs/store/copy-socket.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { eventually } from '../../support/stack.js';

let database: TestDatabase;
let connection: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.close());
async function hashOf(stream: AsyncIterable<unknown>): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of stream) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  return { sha256: hash.digest('hex'), bytes };
}

describe.each([
  { over: 'the driver’s own socket', socket: {} },
  { over: 'a socket that reads into one buffer', socket: { stream: openCopySocket } },
])('over $over', ({ socket }) => {
  beforeEach(async () => {
    connection = new pg.Client({ connectionString: database.url, ...socket });
    connection.on('error', () => undefined);
    await connection.connect();
  });
  afterEach(() => connection.end());

  test('the driver’s own answers stay whole while more comes in', async () => {
    const { rows } = await connection.query<{ i: number; text: string }>(
      `select i, repeat(chr(97 + i % 26), 1 + (i * 7919) % 900) as text from generate_series(1, 2000) i`,
    );
    const letter = (i: number): string => String.fromCharCode(97 + (i % 26));
    expect(rows.map(({ text }) => text)).toEqual(
      rows.map(({ i }) => letter(i).repeat(1 + ((i * 7919) % 900))),
    );
  });

  test('gives the same bytes as another reader of the protocol, and leaves the connection fit for use', async () => {
    const plain = new pg.Client({ connectionString: database.url });
    await plain.connect();
    await fc.assert(
      fc.asyncProperty(fc.nat(3_000), fc.integer({ min: 0, max: 70_000 }), async (rows, width) => {
        // Rows of any length, so that message headers fall everywhere on the socket's chunks.
        fc.pre(rows * width < 20_000_000);
        const sql = `copy (select i, repeat(chr(97 + i % 26), (i * 7919) % ${width + 1}) from generate_series(1, ${rows}) i) to stdout with (format csv, header)`;
        const ours = connection.query(new CopyOut(sql));
        const found = await hashOf(ours);
        expect(ours.rows).toBe(rows);
        expect(ours.bytes).toBe(found.bytes);
        expect(found).toEqual(await hashOf(plain.query(copyTo(sql))));
        expect((await connection.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
      }),
      { numRuns: 30 },
    );
    await plain.end();
  });

  test('fails on an error before the first row, and the connection lives on', async () => {
    const copy = connection.query(new CopyOut('copy (select 1 from nowhere) to stdout'));
    await expect(hashOf(copy)).rejects.toMatchObject({ code: '42P01' });
    expect((await connection.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  });

  test('fails on an error after many rows: never a short file that looks whole', async () => {
    const copy = connection.query(
      new CopyOut('copy (select 1 / (200000 - i) from generate_series(1, 300000) i) to stdout'),
    );
    await expect(hashOf(copy)).rejects.toMatchObject({ code: '22012' });
    expect(copy.bytes).toBeGreaterThan(100_000);
    expect((await connection.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  });

  test('fails when the server ends the connection', async () => {
    const copy = connection.query(
      new CopyOut(
        'copy (select i, pg_sleep(case when i = 50000 then 60 else 0 end) from generate_series(1, 100000) i) to stdout',
      ),
    );
    // Expected before it happens: a rejection nobody awaits yet would count as unhandled.
    const broken = expect(hashOf(copy)).rejects.toThrow();
    const other = new pg.Client({ connectionString: database.url });
    await other.connect();
    await eventually('rows', () => copy.rows > 0);
    await other.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where query like 'copy%' and pid <> pg_backend_pid()`,
    );
    await broken;
    await other.end();
  });

  test('waits for a slow reader, holding a bounded number of bytes', async () => {
    const copy = connection.query(
      new CopyOut(`copy (select repeat('x', 1000) from generate_series(1, 100000)) to stdout`),
    );
    let received = 0;
    let ahead = 0;
    const slow = new Writable({
      highWaterMark: 1,
      write: (chunk: Buffer, _, done) => {
        received += chunk.length;
        ahead = Math.max(ahead, copy.bytes - received);
        setImmediate(done);
      },
    });
    await pipeline(copy, slow);
    expect(received).toBe(100_100_000);
    expect(ahead).toBeLessThan(4_000_000);
  });

  test('fills the blocks again that it is given back', async () => {
    const sql = `copy (select i, repeat(chr(97 + i % 26), 1000) from generate_series(1, 20000) i) to stdout`;
    const expected = await hashOf(connection.query(new CopyOut(sql)));
    const copy = connection.query(new CopyOut(sql));
    const memory = new Set<ArrayBufferLike>();
    const returning = async function* (): AsyncGenerator<Buffer> {
      for await (const chunk of copy as AsyncIterable<Buffer>) {
        memory.add(chunk.buffer);
        yield chunk;
        chunk.fill(0);
        copy.takeBack(chunk);
      }
    };
    expect(await hashOf(returning())).toEqual(expected);
    expect(memory.size).toBeLessThan(10);
  });

  test('given up, it ends the server’s work too', async () => {
    const copy = connection.query(
      new CopyOut(`copy (select repeat('x', 1000) from generate_series(1, 10000000)) to stdout`),
    );
    await eventually('rows', () => copy.read() !== null);
    copy.destroy();
    const other = new pg.Client({ connectionString: database.url });
    await other.connect();
    await eventually('the query to end', async () => {
      const { rowCount } = await other.query(
        `select from pg_stat_activity where query like 'copy%' and state = 'active' and datname = current_database()`,
      );
      return rowCount === 0;
    });
    await other.end();
  });
});
