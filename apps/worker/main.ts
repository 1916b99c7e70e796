/** A worker process: hosts workflows, or the activities of the pools whose task queues it is told. */
import { Runtime, type LogEntry, type Worker } from '@temporalio/worker';
import { createActivities, openResources, type Resources } from '../../activities/index.js';
import { readSettings, type Settings } from '../../libs/config/settings.js';
import { createKeepForm } from '../../libs/emails/kept-form.js';
import { createRunAcceptance } from '../../libs/schedules/run-acceptance.js';
import { createTenantCipher } from '../../libs/security/tenant-cipher.js';
import { openDatabase, type Database } from '../../libs/store/database.js';
import { createLogger, type Logger } from '../../libs/telemetry/logger.js';
import { registry, serveMetrics } from '../../libs/telemetry/metrics.js';
import { announceReady } from '../../libs/telemetry/ready.js';
import { onShutdown } from '../../libs/telemetry/shutdown.js';
import { connectTemporalForWorkers } from '../../libs/temporal/connection.js';
import { definitions } from '../../workflows/index.js';
import { webhookCallback } from '../../workflows/webhook-callback.job.js';
import { createHost, SHUTDOWN_FORCE_MARGIN_MS } from './hosts.js';
import { checkKinds, planQueues } from './queue-plan.js';
import { waitFor } from './wait-for.js';
import { createWorkerMetrics } from './worker.metrics.js';
import { createWorld } from './world.js';

const CLOSE_MARGIN_MS = 5_000;
/** A connection cut without a word would hold an attempt, and its slot, for ever: the time box bounds the effect alone. */
const DATABASE_SILENCE_MAX_MS = 60_000;

export interface WorkerProcessOptions {
  /** Task queues, e.g. `workflows` or `reports-cpu`. */
  readonly queues: readonly string[];
}

/** Runs until the process is asked to end. Throws at boot on a queue nobody uses or a kind nobody implements. */
export async function run({ queues }: WorkerProcessOptions): Promise<void> {
  const settings = readSettings();
  const plans = planQueues(queues, definitions);
  const logger = createLogger(`worker ${queues.join(',')}`, settings.logLevel);
  const ending = new AbortController();
  const workers: Worker[] = [];
  let running: Promise<unknown> = Promise.resolve();
  let close = async (): Promise<void> => undefined;

  onShutdown(
    async (reason) => {
      logger.info({ reason }, 'Ending');
      ending.abort();
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
      await running;
      await close();
    },
    settings.workerGraceMs + SHUTDOWN_FORCE_MARGIN_MS + CLOSE_MARGIN_MS,
  );

  installRuntime(logger);
  const database = openDatabase(settings.databaseUrl.worker, 'worker', {
    max: settings.databasePoolMax,
    queryTimeoutMs: DATABASE_SILENCE_MAX_MS,
    name: `longhaul-worker ${queues.join(',')}`.slice(0, 63),
    onError: (error) => logger.debug({ err: error }, 'An idle database connection was lost'),
  });
  const cipher = createTenantCipher(database, settings.masterKey);
  const resources = await openResources(settings, { database, cipher });
  close = () => closeAll(database, resources);
  const implementations = createActivities(resources);
  checkKinds(definitions, implementations);

  try {
    const waiting = { logger, signal: ending.signal };
    await waitFor('PostgreSQL', () => database.query('select 1'), waiting);
    const engine = await waitFor(
      'Temporal',
      () => connectTemporalForWorkers(settings, { cipher, database }),
      waiting,
    );
    const metrics = createWorkerMetrics(registry);
    const observe = metrics.observe.bind(metrics);
    const world = createWorld({ database, cipher, definitions, observe });
    const callbackDeadlineMs = webhookCallback.deadlineMs;
    const runs = createRunAcceptance({
      ...{ database, cipher, definitions, callbackDeadlineMs },
      keepForm: createKeepForm(settings.emails.from),
    });
    const parts = { engine, settings, definitions, implementations, world, runs };
    // A namespace being made, an engine restarting: also a reason to wait.
    for (const plan of plans) workers.push(await waitFor(`Temporal`, () => createHost(plan, parts), waiting));
    running = Promise.all(workers.map((worker) => worker.run()));
    await announce(settings, queues, logger);
  } catch (error) {
    if (ending.signal.aborted) return;
    throw error;
  }
  await running;
}

async function announce(settings: Settings, queues: readonly string[], logger: Logger): Promise<void> {
  const metricsServer = await serveMetrics(settings.metricsPort, settings.host);
  logger.info({ queues, metricsUrl: metricsServer.url }, 'Ready');
  announceReady({ role: 'worker', metricsUrl: metricsServer.url });
}

async function closeAll(database: Database, resources: Resources): Promise<void> {
  await resources.close();
  await database.end();
}

/** The SDK's own log goes through ours; signals are the process's, not the SDK's. */
function installRuntime(logger: Logger): void {
  const levels = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;
  const log = (level: keyof typeof levels, message: string, meta?: object): void =>
    logger[levels[level]]({ ...meta }, message);
  Runtime.install({
    shutdownSignals: [],
    logger: {
      log: (level: LogEntry['level'], message, meta) => log(level, message, meta),
      trace: (message, meta) => log('TRACE', message, meta),
      debug: (message, meta) => log('DEBUG', message, meta),
      info: (message, meta) => log('DEBUG', message, meta),
      warn: (message, meta) => log('WARN', message, meta),
      error: (message, meta) => log('ERROR', message, meta),
    },
  });
}
