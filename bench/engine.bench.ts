/** `engine`: sagas of three steps a second through our engine, beside the same three activities in a workflow written by hand. */
import pg from 'pg';
import { readSettings } from '../libs/config/settings.js';
import { locateHome } from '../libs/embedded/home.js';
import { processEnvironment } from '../libs/embedded/process-environment.js';
import { createTenantCipher } from '../libs/security/tenant-cipher.js';
import { openDatabase } from '../libs/store/database.js';
import { connectTemporal } from '../libs/temporal/connection.js';
import { BY_HAND, CONTENDERS, type HostName } from './engine/contenders.js';
import { BENCH_SCHEMA } from './engine/hand-written.store.js';
import { startHost, type Host } from './engine/host.js';
import { runTrips, type Grounds } from './engine/trips.js';
import type { BenchTools } from './support/bench.js';
import { describeMachine, summarise, type Report } from './support/report.js';
import { alternate, type Measured } from './support/rounds.js';
import { pauseApps, withStack, type StackUnderBench } from './support/stack.js';

export interface EngineOptions {
  /** Workflows a contender and round. */
  readonly jobs: number;
  /** Workflows at a time. */
  readonly inFlight: number;
  readonly rounds: number;
  /** Whether the variants written by hand are measured, too. */
  readonly variants: boolean;
}

const HOSTS: readonly HostName[] = ['saga', 'by-hand'];
const POOL_MAX = 4;

export async function benchEngine(options: EngineOptions, tools: BenchTools): Promise<Report> {
  const startedAt = new Date().toISOString();
  // On a home that is kept, the next start would find jobs of a kind it does not know.
  const measured = await withStack({ ...tools, home: undefined, loadDatasets: false }, async (stack) => {
    const resume = pauseApps(stack);
    try {
      return await measure(stack, options, tools);
    } finally {
      resume();
    }
  });
  const { jobs, inFlight } = options;
  return {
    bench: 'engine',
    title: 'Sagas of three steps a second',
    unit: 'sagas/s',
    startedAt,
    machine: describeMachine(),
    options: { ...options },
    baseline: BY_HAND,
    contenders: summarise(measured, BY_HAND),
    notes: [
      `${jobs} workflows a round, ${inFlight} at a time, from the first start to the last end in PostgreSQL; each was closed, each effect done once.`,
      `"${BY_HAND}": four activities as the saga has, the start recorded with the first claim. "start apart": the start is an activity of its own. "one queue": the steps run on the workflows' own queue, where the server may start them at once.`,
      'CPU: milliseconds of processor time a workflow. "client" starts the workflows and hears of their ends.',
      'Both have worker processes with the same pollers, slots and connections, the same encryption of all payloads, and tables of the same columns and indexes.',
    ],
  };
}

async function measure(
  stack: StackUnderBench,
  options: EngineOptions,
  tools: BenchTools,
): Promise<Measured[]> {
  const { run, home, scratch, signal } = stack;
  const env = processEnvironment(locateHome({ LONGHAUL_HOME: home }), run(), process.env);
  const settings = readSettings(env);
  const owner = new pg.Pool({ connectionString: settings.databaseUrl.owner, max: POOL_MAX });
  const database = openDatabase(settings.databaseUrl.app, 'app', { max: POOL_MAX, name: 'longhaul-bench' });
  const cipher = createTenantCipher(database, settings.masterKey);
  const engine = connectTemporal(settings, { cipher, database });
  const hosts = new Map<HostName, Host>();
  try {
    await owner.query(BENCH_SCHEMA);
    const tenantId = await tenantOf(owner);
    for (const name of HOSTS) hosts.set(name, await startHost(name, { scratch, signal, tenantId, env }));
    const grounds: Grounds = { stack, owner, database, cipher, engine, tenantId };
    const contenders = CONTENDERS.filter((_, index) => options.variants || index < HOSTS.length).map(
      (contender) => ({
        name: contender.name,
        run: () => runTrips(contender, hosts.get(contender.host)!, grounds, options),
      }),
    );
    return await alternate(contenders, options.rounds, tools.onSample);
  } finally {
    await Promise.all([...hosts.values()].map((host) => host.stop()));
    await engine.close();
    await Promise.all([owner.end(), database.end()]);
  }
}

async function tenantOf(owner: pg.Pool): Promise<string> {
  const { rows } = await owner.query<{ id: string }>('select id from longhaul.tenants limit 1');
  if (!rows[0]) throw new Error('the demo tenant is not there');
  return rows[0].id;
}
