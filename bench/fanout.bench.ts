/** `fanout`: events to many endpoints through the whole system, beside a bare undici loop and a BullMQ worker. */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient, type Client } from '../libs/client/client.js';
import { EVENT, type Task } from './fanout/deliveries.js';
import { registerEndpoints, startReceivers } from './fanout/receivers.js';
import type { BenchTools } from './support/bench.js';
import { startRedis } from './support/bullmq.js';
import { processesOf, watchMemory } from './support/memory.js';
import { runToEnd } from './support/one-process.js';
import { processorSeconds } from './support/processor-time.js';
import { describeMachine, summarise, type Report } from './support/report.js';
import { alternate, type Contender, type Sample } from './support/rounds.js';
import { withStack, type StackUnderBench } from './support/stack.js';

export interface FanoutOptions {
  readonly endpoints: number;
  readonly events: number;
  readonly rounds: number;
}

const BASELINE = 'undici';
/** What a worker of ours sends to one host at a time, and so everybody. */
const AT_ONCE = 64;
const MS_PER_SECOND = 1_000;
const programOf = (name: string): string =>
  fileURLToPath(new URL(`./fanout/${name}.main.js`, import.meta.url));

export async function benchFanout(options: FanoutOptions, tools: BenchTools): Promise<Report> {
  const startedAt = new Date().toISOString();
  let hasBull = false;
  const measured = await withStack({ ...tools, home: undefined, loadDatasets: false }, async (stack) => {
    const redis = await startRedis(stack.scratch);
    hasBull = redis !== undefined;
    const receivers = await startReceivers();
    try {
      const bench = await prepare(stack, receivers.url, options, tools);
      const contenders: Contender[] = [
        { name: 'Longhaul', run: () => bench.ours() },
        { name: BASELINE, run: () => bench.program('loop', {}) },
        ...(redis
          ? [{ name: 'BullMQ', run: () => bench.program('bull', { BENCH_REDIS_PORT: String(redis.port) }) }]
          : []),
      ];
      return await alternate(contenders, options.rounds, tools.onSample);
    } finally {
      await receivers.stop();
      await redis?.stop();
    }
  });
  return {
    bench: 'fanout',
    title: `${options.events} events to ${options.endpoints.toLocaleString('en-US')} endpoints`,
    unit: 'deliveries/s',
    startedAt,
    machine: describeMachine(),
    options: { ...options },
    baseline: BASELINE,
    contenders: summarise(measured, BASELINE),
    notes: [
      'Longhaul: from the first POST /webhook-events to the last job SUCCEEDED; every delivery a row, its outcome recorded before.',
      `undici: a process that signs and posts, ${AT_ONCE} at a time over as many connections, as one worker of Longhaul does, and keeps nothing.`,
      hasBull
        ? 'BullMQ: a job a delivery, added and worked on by one process; Redis with appendfsync always.'
        : 'Left out: BullMQ, because there is no redis-server on the PATH.',
      'All deliver to one process on the same machine, which counted each delivery once.',
    ],
  };
}

async function prepare(
  stack: StackUnderBench,
  receiversUrl: string,
  { endpoints: count, events }: FanoutOptions,
  { say }: BenchTools,
) {
  const { api, keys } = stack.run();
  const client = createClient({ url: api, key: keys.client });
  const total = count * events;
  say(`Registering ${count} endpoints`);
  const task: Task = {
    endpoints: await registerEndpoints(client, receiversUrl, count),
    events,
    atOnce: AT_ONCE,
  };
  const file = join(stack.scratch, 'fanout.json');
  writeFileSync(file, JSON.stringify(task));

  /** Throws unless each endpoint got each event once. */
  async function counted(): Promise<void> {
    const counts = (await (await fetch(`${receiversUrl}/counts`)).json()) as object;
    const expected = JSON.stringify({ deliveries: total, distinct: total });
    if (JSON.stringify(counts) !== expected)
      throw new Error(`expected ${expected}, got ${JSON.stringify(counts)}`);
  }

  async function measure(work: () => Promise<number>): Promise<Sample> {
    const memory = watchMemory(() => processesOf(stack.run()));
    const before = processorSeconds(stack.run());
    try {
      const ms = await work();
      const cpu = processorSeconds(stack.run()) - before;
      await counted();
      return {
        value: (total / ms) * MS_PER_SECOND,
        figures: { seconds: ms / MS_PER_SECOND, 'CPU ms a delivery': (cpu * MS_PER_SECOND) / total },
        rss: memory.stop(),
      };
    } finally {
      memory.stop();
    }
  }

  return {
    ours: () =>
      measure(async () => {
        const from = performance.now();
        const jobs = await Promise.all(Array.from({ length: events }, () => submit(client)));
        // One after the other: each watcher costs the engine queries.
        for (const id of jobs) await mustDeliver(client, id, count);
        return performance.now() - from;
      }),
    program: (name: string, env: NodeJS.ProcessEnv) =>
      measure(async () => {
        const options = { env: { ...process.env, ...env }, signal: stack.signal, onPid: () => undefined };
        return Number(await runToEnd(process.execPath, [programOf(name), file], options));
      }),
  };
}

async function submit(client: Client): Promise<string> {
  const { job } = await client.submit('webhook.fanout', { event: randomUUID(), ...EVENT });
  return job.id;
}

async function mustDeliver(client: Client, id: string, endpoints: number): Promise<void> {
  const { status, result } = await client.wait(id);
  const { delivered } = result as { delivered: number };
  if (delivered !== endpoints) throw new Error(`job ${id} is ${status}, ${delivered} delivered`);
}
