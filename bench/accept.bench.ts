/** `accept`: `POST /jobs` at a given rate and at saturation, beside the bare database function and BullMQ. */
import { randomBytes } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { readDatabasePoolMax } from '../libs/config/settings.js';
import { acceptJobs } from '../libs/store/accept.store.js';
import { openDatabase } from '../libs/store/database.js';
import { poissonArrivals, sendWhenDue } from './support/arrivals.js';
import type { BenchTools } from './support/bench.js';
import { startBullHandler, type BullHandler } from './support/bullmq.js';
import { applyLoad, NUMBER, type Load } from './support/load.js';
import { childrenOf, processesOf, watchMemory } from './support/memory.js';
import { processorSecondsOf } from './support/processor-time.js';
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

const BASELINE = 'longhaul.accept';
const MS_PER_SECOND = 1_000;
const MICROSECONDS_PER_SECOND = 1e6;
/** About what the input of an export is, sealed. */
const SEALED_BYTES = 120;
const DIGEST_BYTES = 32;
const DEADLINE_MS = 3_600_000;
const BODY = `{"kind":"report.export","input":{"dataset":"birdstrikes","version":${NUMBER},"format":"csv"}}`;

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
      `${connections} HTTP connections, ${seconds} s at saturation, then ${seconds} s at ${rate} requests/s that come as a Poisson process, each timed from when it was due; every answer was 202.`,
      `${BASELINE}: the same function called by Node's pg, a job a call, by ${connections} callers on ${readDatabasePoolMax()} connections, as many as the API has; no HTTP, no checks, nothing sealed.`,
      'CPU: milliseconds of processor time a job at saturation. "server" is the API, the handler, or the caller of the function; "store" is PostgreSQL or Redis; "load" is what makes the requests.',
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
  const { api, keys, pids } = stack.run();
  return loaded(stack, options, {
    url: `${api}/jobs`,
    headers: { authorization: `Bearer ${keys.client}` },
    server: () => [pids.api ?? 0],
    store: () => postgresOf(stack),
    processes: () =>
      processesOf(stack.run()).filter(([name]) => name === 'api' || name.startsWith('postgres')),
  });
}

async function bullmq(
  stack: StackUnderBench,
  { url, pids }: BullHandler,
  options: AcceptOptions,
): Promise<Sample> {
  return loaded(stack, options, {
    url,
    headers: {},
    server: () => [pids.handler],
    store: () => [pids.redis],
    processes: () => [
      ['handler', pids.handler],
      ['redis', pids.redis],
    ],
  });
}

function postgresOf({ run }: StackUnderBench): number[] {
  const { postgres } = run().pids;
  return postgres === null ? [] : [postgres, ...childrenOf(postgres)];
}

async function loaded(
  { signal }: StackUnderBench,
  { connections, seconds, rate }: AcceptOptions,
  target: {
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly server: () => number[];
    readonly store: () => number[];
    readonly processes: () => [string, number][];
  },
): Promise<Sample> {
  const { url, headers, server, store, processes } = target;
  // One time after the other: the version is part of the natural key.
  const load = (): Load => ({
    ...{ url, headers, body: BODY, firstNumber: Date.now() * MS_PER_SECOND },
    ...{ connections, seconds },
  });
  const memory = watchMemory(processes);
  try {
    const [serverBefore, storeBefore] = [server(), store()].map(processorSecondsOf);
    const full = await applyLoad(load(), signal);
    const [serverAfter, storeAfter] = [server(), store()].map(processorSecondsOf);
    const steady = await applyLoad({ ...load(), rate }, signal);
    const perJob = (cpuSeconds: number): number => (cpuSeconds * MS_PER_SECOND) / full.requests;
    return {
      value: full.rate,
      figures: {
        ...latencies(full, ''),
        ...latencies(steady, ` at ${rate}/s`),
        'CPU, server': perJob((serverAfter ?? 0) - (serverBefore ?? 0)),
        'CPU, store': perJob((storeAfter ?? 0) - (storeBefore ?? 0)),
        'CPU, load': perJob(full.cpuSeconds),
      },
      rss: memory.stop(),
    };
  } finally {
    memory.stop();
  }
}

function latencies(
  { p50Ms, p95Ms, p99Ms }: { readonly p50Ms: number; readonly p95Ms: number; readonly p99Ms: number },
  where: string,
): Record<string, number> {
  return { [`p50 ms${where}`]: p50Ms, [`p95 ms${where}`]: p95Ms, [`p99 ms${where}`]: p99Ms };
}

async function bare(stack: StackUnderBench, options: AcceptOptions): Promise<Sample> {
  const { run, signal } = stack;
  const { seconds, rate, connections } = options;
  const database = openDatabase(run().databaseUrl, 'app', {
    max: readDatabasePoolMax(),
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
    const acceptOne = async (): Promise<void> => {
      const id = uuidv7();
      const job = {
        ...{ id, kind: 'report.export', key: id, ...sealed, deadlineMs: DEADLINE_MS, restart: false },
        traceParent: `00-${id.replaceAll('-', '')}-0000000000000001-01`,
      };
      const request = { tenantId, route: '/jobs', idempotencyKey: undefined, fingerprint: sealed.digest };
      await acceptJobs(database, { ...request, jobs: [job] });
    };
    // Each connection is opened, and plans, before anything counts.
    await Promise.all(Array.from({ length: connections }, acceptOne));
    const [storeBefore, callerBefore] = [processorSecondsOf(postgresOf(stack)), process.cpuUsage()];
    const startedAt = performance.now();
    const until = startedAt + seconds * MS_PER_SECOND;
    const caller = async (): Promise<void> => {
      while (performance.now() < until && !signal.aborted) {
        const from = performance.now();
        await acceptOne();
        latenciesMs.push(performance.now() - from);
      }
    };
    await Promise.all(Array.from({ length: connections }, caller));
    const tookMs = performance.now() - startedAt;
    const { user, system } = process.cpuUsage(callerBefore);
    const storeSeconds = processorSecondsOf(postgresOf(stack)) - storeBefore;
    const steadyMs = await sendWhenDue(poissonArrivals(rate, seconds), acceptOne);
    const perJob = (cpuSeconds: number): number => (cpuSeconds * MS_PER_SECOND) / latenciesMs.length;
    return {
      value: latenciesMs.length / (tookMs / MS_PER_SECOND),
      figures: {
        ...latencies(quantiles(latenciesMs), ''),
        ...latencies(quantiles(steadyMs), ` at ${rate}/s`),
        'CPU, server': perJob((user + system) / MICROSECONDS_PER_SECOND),
        'CPU, store': perJob(storeSeconds),
      },
      rss: {},
    };
  } finally {
    await database.end();
  }
}

function quantiles(ms: readonly number[]): { p50Ms: number; p95Ms: number; p99Ms: number } {
  return { p50Ms: quantile(ms, 0.5), p95Ms: quantile(ms, 0.95), p99Ms: quantile(ms, 0.99) };
}

/** `lh_<env>_<id>_<secret>`. */
function keyIdOf(key: string): string {
  const id = key.split('_')[2];
  if (id === undefined) throw new Error('expected a key lh_<env>_<id>_<secret>');
  return id;
}
