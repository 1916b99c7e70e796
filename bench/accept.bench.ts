/** `accept`: `POST /jobs` at a given rate and at saturation, beside the bare database function and BullMQ. */
import { randomBytes } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { acceptJobs } from '../libs/store/accept.store.js';
import { openDatabase } from '../libs/store/database.js';
import type { BenchTools } from './support/bench.js';
import { startBullHandler, type BullHandler } from './support/bullmq.js';
import { applyLoad } from './support/load.js';
import { processesOf, watchMemory } from './support/memory.js';
import { describeMachine, summarise, type Report } from './support/report.js';
import { alternate, type Contender, type Sample } from './support/rounds.js';
import { withStack, type StackUnderBench } from './support/stack.js';
import { quantile } from './support/statistics.js';

export interface AcceptOptions {
  readonly rate: number;
  readonly connections: number;
  readonly seconds: number;
  readonly rounds: number;
}

/** As many as the API opens (DATABASE_POOL_MAX). */
const DATABASE_CONNECTIONS = 10;
const BASELINE = 'longhaul.accept';
const MS_PER_SECOND = 1_000;
/** About what the input of an export is, sealed. */
const SEALED_BYTES = 120;
const DIGEST_BYTES = 32;
const DEADLINE_MS = 3_600_000;

export async function benchAccept(options: AcceptOptions, tools: BenchTools): Promise<Report> {
  const startedAt = new Date().toISOString();
  let hasBull = false;
  // On a home that is kept, everything accepted here would be exported at the next start.
  const measured = await withStack({ ...tools, home: undefined, loadDatasets: false }, async (stack) => {
    const bull = await startBullHandler(stack.scratch);
    hasBull = bull !== undefined;
    const resume = pauseEngine(stack);
    try {
      const contenders: Contender[] = [
        { name: 'POST /jobs', run: () => ours(stack, options) },
        { name: BASELINE, run: () => bare(stack, options) },
        ...(bull ? [{ name: 'Nest and BullMQ', run: () => bullmq(stack, bull, options) }] : []),
      ];
      return await alternate(contenders, options.rounds, tools.onSample);
    } finally {
      resume();
      await bull?.stop();
    }
  });
  const { rate, connections, seconds } = options;
  return {
    bench: 'accept',
    title: 'Jobs accepted a second, at saturation',
    unit: 'jobs/s',
    startedAt,
    machine: describeMachine(),
    options: { ...options },
    baseline: BASELINE,
    contenders: summarise(measured, BASELINE),
    notes: [
      `${connections} HTTP connections, ${seconds} s at saturation, then ${seconds} s at ${rate} requests/s; every answer was 202.`,
      `${BASELINE}: the same function called by Node's pg on ${DATABASE_CONNECTIONS} connections, as many as the API has; no HTTP, no checks, nothing sealed.`,
      'Relay, workers and Temporal stood still: what is measured is accepting alone. The load came from the same machine.',
      hasBull
        ? 'BullMQ: a minimal Nest handler on Fastify, Redis with appendfsync always; it checks and encrypts nothing.'
        : 'Left out: BullMQ, because there is no redis-server on the PATH.',
    ],
  };
}

/** Holds up what would work on the accepted jobs; the answer lets it go on. */
function pauseEngine({ run }: StackUnderBench): () => void {
  const { relay, workers, temporal } = run().pids;
  const pids = [relay, ...workers, temporal].filter((pid) => pid !== null);
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  return () => pids.forEach((pid) => process.kill(pid, 'SIGCONT'));
}

async function ours(stack: StackUnderBench, options: AcceptOptions): Promise<Sample> {
  const { api, keys } = stack.run();
  // One time after the other: the version is part of the natural key.
  let version = Date.now() * MS_PER_SECOND;
  return loaded(stack, options, {
    url: `${api}/jobs`,
    headers: { authorization: `Bearer ${keys.client}` },
    body: () => bodyOf((version += 1)),
    processes: () =>
      processesOf(stack.run()).filter(([name]) => name === 'api' || name.startsWith('postgres')),
  });
}

async function bullmq(
  stack: StackUnderBench,
  { url, pids }: BullHandler,
  options: AcceptOptions,
): Promise<Sample> {
  let version = 0;
  return loaded(stack, options, {
    url,
    headers: {},
    body: () => bodyOf((version += 1)),
    processes: () => [
      ['handler', pids.handler],
      ['redis', pids.redis],
    ],
  });
}

function bodyOf(version: number): string {
  return JSON.stringify({ kind: 'report.export', input: { dataset: 'birdstrikes', version, format: 'csv' } });
}

async function loaded(
  { signal }: StackUnderBench,
  { connections, seconds, rate }: AcceptOptions,
  target: {
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: () => string;
    readonly processes: () => [string, number][];
  },
): Promise<Sample> {
  const { url, headers, body, processes } = target;
  const memory = watchMemory(processes);
  try {
    const full = await applyLoad({ url, headers, body, connections, seconds, signal });
    const steady = await applyLoad({ url, headers, body, connections, seconds, rate, signal });
    return {
      value: full.rate,
      figures: {
        'p50 ms': full.p50Ms,
        'p95 ms': full.p95Ms,
        [`p50 ms at ${rate}/s`]: steady.p50Ms,
        [`p95 ms at ${rate}/s`]: steady.p95Ms,
      },
      rss: memory.stop(),
    };
  } finally {
    memory.stop();
  }
}

async function bare({ run, signal }: StackUnderBench, { seconds }: AcceptOptions): Promise<Sample> {
  const database = openDatabase(run().databaseUrl, 'app', {
    max: DATABASE_CONNECTIONS,
    name: 'longhaul-bench',
  });
  const latenciesMs: number[] = [];
  try {
    const { rows } = await database.query<{ tenant_id: string }>(
      'select tenant_id from longhaul.authenticate($1)',
      [keyIdOf(run().keys.client)],
    );
    const tenantId = rows[0]?.tenant_id;
    if (tenantId === undefined) throw new Error("the demo tenant's key is not known");
    const sealed = { input: randomBytes(SEALED_BYTES), digest: randomBytes(DIGEST_BYTES) };
    const startedAt = performance.now();
    const until = startedAt + seconds * MS_PER_SECOND;
    const caller = async (): Promise<void> => {
      while (performance.now() < until && !signal.aborted) {
        const id = uuidv7();
        const from = performance.now();
        await acceptJobs(database, {
          tenantId,
          route: '/jobs',
          idempotencyKey: undefined,
          fingerprint: sealed.digest,
          jobs: [
            {
              id,
              kind: 'report.export',
              key: id,
              ...sealed,
              deadlineMs: DEADLINE_MS,
              restart: false,
              traceParent: `00-${id.replaceAll('-', '')}-0000000000000001-01`,
            },
          ],
        });
        latenciesMs.push(performance.now() - from);
      }
    };
    await Promise.all(Array.from({ length: DATABASE_CONNECTIONS }, caller));
    return {
      value: latenciesMs.length / ((performance.now() - startedAt) / MS_PER_SECOND),
      figures: { 'p50 ms': quantile(latenciesMs, 0.5), 'p95 ms': quantile(latenciesMs, 0.95) },
      rss: {},
    };
  } finally {
    await database.end();
  }
}

/** `lh_<env>_<id>_<secret>`. */
function keyIdOf(key: string): string {
  const id = key.split('_')[2];
  if (id === undefined) throw new Error('expected a key lh_<env>_<id>_<secret>');
  return id;
}
