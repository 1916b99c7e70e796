/** The flow of an export in memory: fakes for its side effects, a virtual clock, no I/O. */
import { describe, expect, test } from 'vitest';
import { Deferred, Rejected, Transient } from '../../libs/saga/failure.js';
import type { Implementation } from '../../libs/saga/implement.js';
import {
  createVirtualClock,
  runInMemory,
  type AttemptEvent,
  type MemoryRunOptions,
} from '../../libs/saga/memory.js';
import { reportExport, ReportExportInput } from '../../workflows/report-export.job.js';

type Steps = Implementation<typeof reportExport>['steps'];

const PARTS = 6;
const SHA = 'a'.repeat(64);
const input = { dataset: 'flights', version: 1, format: 'csv' as const };

/** An upload per plan, parts that take a second, and whatever a test puts in the way. */
function setup(override: Partial<Steps> = {}) {
  const clock = createVirtualClock();
  const log: string[] = [];
  const uploads = new Map<number, Set<number>>();
  const aborted = new Set<number>();
  const published = new Set<number>();
  let held = 0;
  let rendering = 0;
  let renderingMost = 0;

  const implementation: Implementation<typeof reportExport> = {
    steps: {
      async keep(_, context) {
        await context.ready({ snapshot: `snapshot-${held++}` });
        await clock.sleep(30 * 60_000, context.signal);
      },
      async plan(_, context) {
        return { plan: context.generation, parts: PARTS };
      },
      async count() {
        return { rows: PARTS * 10 };
      },
      async render({ plan, part, snapshot }, context) {
        renderingMost = Math.max(renderingMost, ++rendering);
        try {
          await clock.sleep(1_000, context.signal);
          if (context.signal.aborted) throw new Transient('stopped', 'Stopped', { certainty: 'no' });
          if (aborted.has(plan)) throw new Rejected('upload_closed', 'Aborted');
          uploads.set(plan, (uploads.get(plan) ?? new Set()).add(part));
          log.push(`render ${part} of ${snapshot}`);
          return { rows: 10, bytes: 100 };
        } finally {
          rendering -= 1;
        }
      },
      async publish({ plan, parts }) {
        if (uploads.get(plan)?.size !== parts) throw new Rejected('part_missing', 'A part is missing');
        published.add(plan);
        log.push('publish');
        return { location: `job.${plan}`, bytes: parts * 100, sha256: SHA };
      },
      async announce() {
        log.push('announce');
        return { filename: 'f.csv', contentType: 'text/csv', expiresAt: '2026-01-02T00:00:00.000Z' };
      },
      ...override,
    },
    undos: {
      async discardParts({ plan }) {
        aborted.add(plan);
        return uploads.delete(plan) ? 'undone' : 'noop';
      },
    },
    probes: {
      async findPublished({ plan }) {
        return published.has(plan)
          ? { happened: true, output: { location: `job.${plan}`, bytes: PARTS * 100, sha256: SHA } }
          : { happened: false };
      },
    },
  };
  const run = (options: Partial<MemoryRunOptions<typeof reportExport>> = {}, steps: Partial<Steps> = {}) =>
    runInMemory(
      reportExport,
      { ...implementation, steps: { ...implementation.steps, ...steps } },
      { input, clock, ...options },
    );
  return { implementation, clock, run, log, uploads, aborted, published, most: () => renderingMost };
}

const count = (trace: readonly AttemptEvent[], step: string, what = 'begin') =>
  trace.filter((event) => event.step === step && event.role === 'step' && event.what === what).length;

describe('an export', () => {
  test('renders every part of one snapshot, at most four at a time, and publishes once', async () => {
    const { run, log, most } = setup();
    const { end } = await run();
    expect(end).toMatchObject({ status: 'SUCCEEDED', result: { rows: 60, bytes: 600, sha256: SHA } });
    expect(log.filter((line) => line.startsWith('render')).sort()).toEqual(
      Array.from({ length: PARTS }, (_, part) => `render ${part} of snapshot-0`),
    );
    expect(log.slice(-2)).toEqual(['publish', 'announce']);
    expect(most()).toBe(4);
  });

  test('counts beside the parts, and only what the plan has not counted', async () => {
    const begunAt: Record<string, number> = {};
    const slow: ReturnType<typeof setup> = setup({
      count: async () => {
        begunAt['count'] = slow.clock.now();
        await slow.clock.sleep(60_000, new AbortController().signal);
        return { rows: PARTS * 10 };
      },
      publish: async ({ plan, parts, rows, rendered }) => {
        begunAt['publish'] = slow.clock.now();
        expect([rows, rendered]).toEqual([60, 60]);
        return { location: `job.${plan}`, bytes: parts * 100, sha256: SHA };
      },
    });
    expect((await slow.run()).end).toMatchObject({ status: 'SUCCEEDED', result: { rows: 60 } });
    expect(slow.log.filter((line) => line.startsWith('render'))).toHaveLength(PARTS);
    expect(begunAt['publish']! - begunAt['count']!).toBe(60_000);

    const known = setup({
      plan: async (_, { generation }) => ({ plan: generation, parts: PARTS, rows: PARTS * 10 }),
    });
    const { end, trace } = await known.run();
    expect(end).toMatchObject({ status: 'SUCCEEDED', result: { rows: 60 } });
    expect(count(trace, 'count')).toBe(0);
  });

  test('repeats a part that broke, and only that', async () => {
    const broken = new Set([2, 4]);
    const flaky: ReturnType<typeof setup> = setup({
      render: async ({ part }) => {
        if (broken.delete(part)) throw new Transient('database_lost', 'Lost', { certainty: 'no' });
        flaky.uploads.set(0, (flaky.uploads.get(0) ?? new Set()).add(part));
        return { rows: 10, bytes: 100 };
      },
    });
    const { end, trace } = await flaky.run();
    expect(end?.status).toBe('SUCCEEDED');
    expect(count(trace, 'render')).toBe(PARTS + 2);
  });

  test.each(['keep', 'plan', 'count', 'render', 'publish'] as const)(
    'outlives a fail-over of twenty seconds in %s',
    async (step) => {
      const seeds = Array.from({ length: 20 }, (_, seed) => seed);
      const ends = await Promise.all(
        seeds.map(async (seed) => {
          const { clock, run, implementation } = setup();
          const backAt = clock.now() + 20_000;
          const work = implementation.steps[step] as () => Promise<never>;
          const away: typeof work = async (...args) => {
            if (clock.now() < backAt) throw new Transient('database_busy', 'Not up', { certainty: 'no' });
            return work(...args);
          };
          return (await run({ seed }, { [step]: away })).end?.status;
        }),
      );
      // Jitter may spend them all sooner, but seldom.
      expect(ends.filter((status) => status === 'SUCCEEDED').length).toBeGreaterThanOrEqual(17);
    },
  );

  test('starts over in a new snapshot when its keeper is lost, and never mixes two', async () => {
    let losses = 0;
    const { run, log, aborted, uploads } = setup({
      keep: async (_, context) => {
        await context.ready({ snapshot: `snapshot-${losses}` });
        if (losses++ < 2) throw new Transient('snapshot_lost', 'Lost', { certainty: 'no' });
        await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
      },
    });
    const { end } = await run();
    expect(end?.status).toBe('SUCCEEDED');
    expect([...aborted]).not.toContain(2);
    expect([...uploads.keys()]).toEqual([2]);
    expect(log.filter((line) => line.endsWith('of snapshot-2'))).toHaveLength(PARTS);
  });

  test('gives up after three starts over, leaving nothing', async () => {
    let begun = 0;
    const { run, uploads, published } = setup({
      keep: async (_, context) => {
        await context.ready({ snapshot: `snapshot-${begun++}` });
        await Promise.resolve();
        throw new Transient('snapshot_lost', 'Lost', { certainty: 'no' });
      },
    });
    const { end } = await run();
    expect(end).toMatchObject({ status: 'FAILED', error: { code: 'snapshot_lost', step: 'keep' } });
    expect(begun).toBe(4);
    expect(uploads.size).toBe(0);
    expect(published.size).toBe(0);
  });

  test('waits for its dataset as long as it takes, at no attempt’s cost', async () => {
    let waits = 0;
    const { run } = setup({
      keep: async (_, context) => {
        if (waits++ < 50) throw new Deferred(1_000, 'Loading');
        await context.ready({ snapshot: 'snapshot' });
        await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
      },
    });
    const { end, elapsedMs } = await run();
    expect(end?.status).toBe('SUCCEEDED');
    expect(elapsedMs).toBeGreaterThanOrEqual(50_000);
  });

  test('cancelled in the middle, drops its upload and publishes nothing', async () => {
    const { run, uploads, published, aborted } = setup();
    const { end } = await run({ cancelAt: 1_500 });
    expect(end).toMatchObject({ status: 'CANCELLED', compensated: 'all', leftovers: [] });
    expect(uploads.size).toBe(0);
    expect(published.size).toBe(0);
    expect(aborted).toEqual(new Set([0]));
  });

  test('published with the answer lost, finds the file instead of undoing it', async () => {
    let attempts = 0;
    const world: ReturnType<typeof setup> = setup({
      publish: async ({ plan }) => {
        world.published.add(plan);
        if (attempts++ < 99) throw new Transient('store_busy', 'No answer', { certainty: 'unknown' });
        throw new Error('unreachable');
      },
    });
    const { end } = await world.run();
    expect(end).toMatchObject({ status: 'SUCCEEDED', result: { bytes: 600 } });
    expect(world.uploads.size).toBe(1);
  });
});

describe('two requests', () => {
  const key = (change: object) => reportExport.naturalKey?.(ReportExportInput.parse({ ...input, ...change }));

  test('are the same job when the file would be the same', () => {
    expect(key({ filter: { a: { gte: 1, lt: 2 }, b: { eq: 'x' } } })).toEqual(
      key({ filter: { b: { eq: 'x' }, a: { lt: 2, gte: 1 } } }),
    );
    expect(key({ order: { column: 'a' } })).toEqual(key({ order: { column: 'a', direction: 'asc' } }));
  });

  test('are the same job across versions of Longhaul: what is not asked for is not in the key', () => {
    expect(key({})).toEqual(['flights', 1, '1f1b72ac6f62cd6c078715c8d6539051']);
  });

  test('are two jobs when anything that changes the file differs', () => {
    const variants = [
      {},
      { version: 2 },
      { dataset: 'birdstrikes' },
      { columns: ['a', 'b'] },
      { columns: ['b', 'a'] },
      { filter: { a: { eq: 1 } } },
      { filter: { a: { eq: '1' } } },
      { parameters: { since: '2026-01-01' } },
      { order: { column: 'a', direction: 'desc' } },
      { format: 'ndjson' },
      { format: 'xlsx' },
      { format: 'parquet' },
      { format: 'parquet', compression: 'zstd' },
      { compression: 'gzip' },
      { compression: 'zstd' },
    ];
    expect(new Set(variants.map((variant) => JSON.stringify(key(variant)))).size).toBe(variants.length);
  });
});

test('refuses an input that says nothing or too much', () => {
  for (const change of [
    { version: 0 },
    { format: 'pdf' },
    { compression: 'none' },
    { format: 'xlsx', compression: 'gzip' },
    { columns: [] },
    { columns: ['a', 'a'] },
    { columns: ['a"'] },
    { filter: {} },
    { filter: { a: {} } },
    { filter: { a: { like: 'x' } } },
    { filter: { a: { eq: null } } },
    { parameters: {} },
    { order: { column: 'a', direction: 'up' } },
    { colour: 'red' },
  ]) {
    expect(ReportExportInput.safeParse({ ...input, ...change }).success, JSON.stringify(change)).toBe(false);
  }
  expect(ReportExportInput.safeParse(reportExport.example).success).toBe(true);
});
