/** `isolation`: how long it takes until a job's first step runs, while other kinds are flooded with work, and while they are not. */
import { createClient, type Client } from '../libs/client/client.js';
import { isTerminal, type Job } from '../libs/client/job.types.js';
import { registerEndpoints, startReceivers } from './fanout/receivers.js';
import { floodsOf, issueInvoices, probesOf, type Flood, type Probe } from './isolation/kinds.js';
import type { BenchTools } from './support/bench.js';
import { describeMachine, summarise, type Report } from './support/report.js';
import { alternate, type Contender, type Sample } from './support/rounds.js';
import { withStack } from './support/stack.js';
import { median } from './support/statistics.js';

export interface IsolationOptions {
  readonly endpoints: number;
  /** Jobs of each flooded kind that are open at any time. */
  readonly flood: number;
  /** Jobs of each kind that is watched, a round. */
  readonly probes: number;
  readonly rounds: number;
}

const QUIET = 'quiet';
/** The flood has spread to every process by then. */
const FLOOD_BEFORE_MS = 2_000;

export async function benchIsolation(options: IsolationOptions, tools: BenchTools): Promise<Report> {
  const startedAt = new Date().toISOString();
  let kinds: { floods: readonly Flood[]; probes: readonly Probe[] } | undefined;
  const measured = await withStack(tools, async (stack) => {
    const receivers = await startReceivers();
    try {
      const { api, keys, databaseUrl } = stack.run();
      const client = createClient({ url: api, key: keys.client });
      tools.say(`Registering ${options.endpoints} endpoints`);
      await registerEndpoints(client, receivers.url, options.endpoints);
      kinds = { floods: floodsOf(client, await issueInvoices(databaseUrl)), probes: await probesOf(client) };
      const { floods, probes } = kinds;
      const contenders: Contender[] = [
        {
          name: 'flooded',
          run: () => flooded(client, floods, options, () => measure(client, probes, options)),
        },
        { name: QUIET, run: () => measure(client, probes, options) },
      ];
      return await alternate(contenders, options.rounds, tools.onSample);
    } finally {
      await receivers.stop();
    }
  });
  const names = (of: readonly { readonly kind: string }[] | undefined): string =>
    (of ?? []).map(({ kind }) => kind).join(', ');
  return {
    bench: 'isolation',
    title: `Until the first step runs (${names(kinds?.probes)}), with ${options.flood} jobs each of ${names(kinds?.floods)} open, and with none`,
    unit: 'ms to start',
    startedAt,
    machine: describeMachine(),
    options: { ...options },
    baseline: QUIET,
    contenders: summarise(measured, QUIET),
    notes: [
      'Less is better. From the acceptance to the first step’s claim, both by the database’s clock; medians of a round’s jobs, the mean over the kinds.',
      `An event of the flood goes to ${options.endpoints} endpoints of one process on the same machine.`,
    ],
  };
}

/** Keeps the floods up while `work` runs, and waits until what they began has ended. */
async function flooded<R>(
  client: Client,
  floods: readonly Flood[],
  { flood: atOnce }: IsolationOptions,
  work: () => Promise<R>,
): Promise<R> {
  let isOver = false;
  const lane = async (flood: Flood): Promise<void> => {
    while (!isOver) await mustSucceed(client, (await flood.submit()).id);
  };
  const lanes = Promise.all(floods.flatMap((flood) => Array.from({ length: atOnce }, () => lane(flood))));
  try {
    const spread = new Promise((resolve) => setTimeout(resolve, FLOOD_BEFORE_MS));
    // A flood that fails ends the bench at once.
    await Promise.race([spread, lanes]);
    return await work();
  } finally {
    isOver = true;
    await lanes;
  }
}

/** One job after the other, so that they wait for nothing but what is beside them. */
async function measure(
  client: Client,
  probes: readonly Probe[],
  { probes: count }: IsolationOptions,
): Promise<Sample> {
  const figures: Record<string, number> = {};
  for (const probe of probes) {
    const times: number[] = [];
    while (times.length < count) {
      const { id } = await probe.submit();
      times.push(startMsOf(await mustSucceed(client, id)));
    }
    figures[`${probe.kind} ms`] = median(times);
  }
  const values = Object.values(figures);
  return { value: values.reduce((sum, ms) => sum + ms, 0) / values.length, figures, rss: {} };
}

async function mustSucceed(client: Client, id: string): Promise<Job> {
  const job = await client.wait(id);
  if (!isTerminal(job) || job.status !== 'SUCCEEDED')
    throw new Error(`job ${id} (${job.kind}) is ${job.status}: ${JSON.stringify(job.error)}`);
  return job;
}

/** From its acceptance until its first step was begun. */
function startMsOf({ id, createdAt, steps }: Job): number {
  const begun = steps.flatMap(({ startedAt }) => (startedAt ? [Date.parse(startedAt)] : []));
  if (begun.length === 0) throw new Error(`job ${id} has no step that began`);
  return Math.min(...begun) - Date.parse(createdAt);
}
