/** A database, an engine and the parts of a relay, for tests that put them together in their own ways. */
import { fileURLToPath } from 'node:url';
import { Registry } from 'prom-client';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { EngineClient } from '../../../libs/temporal/connection.js';
import { connectTemporal } from '../../../libs/temporal/connection.js';
import { createDataConverter, failureConverterPath } from '../../../libs/temporal/data-converter.js';
import { DISPATCH_LIMITS, type Dispatcher } from '../../../libs/outbox/dispatcher.js';
import { WORKFLOW_TASK_QUEUE } from '../../../libs/saga/temporal/engine.js';
import { createRelayMetrics, type RelayMetrics } from '../../../libs/outbox/relay.metrics.js';
import { createTenantCipher } from '../../../libs/security/tenant-cipher.js';
import { createLogger } from '../../../libs/telemetry/logger.js';
import { createTenantJobs, type TenantJobs } from '../../support/tenant-jobs.js';

/** Kinds are `test.<workflow>`; `test.unknown` is no kind. */
const WORKFLOWS: ReadonlySet<string> = new Set(['relayed', 'waiting', 'broken']);

export interface RelaySetup {
  readonly jobs: TenantJobs;
  readonly engine: EngineClient;
  /** A dispatcher with metrics of its own: a relay more. */
  newDispatcher(limits?: Partial<Dispatcher['limits']>): Dispatcher & { readonly registry: Registry };
  /** Runs a worker of the test workflows until the setup closes. */
  startWorker(): Promise<void>;
  outboxOf(jobId: string): Promise<OutboxState[]>;
  close(): Promise<void>;
}

export interface OutboxState {
  readonly message: string;
  readonly attempts: number;
  readonly last_error: string | null;
  readonly sent: boolean;
}

export async function setupRelay(temporal: { address: string; namespace: string }): Promise<RelaySetup> {
  const jobs = await createTenantJobs();
  const cipher = createTenantCipher(jobs.relay, jobs.masterKey, { ttlMs: 0 });
  const engine = connectTemporal({ temporal }, { cipher, database: jobs.relay }, { attemptsMax: 1 });
  const closers: (() => Promise<void>)[] = [];
  return {
    jobs,
    engine,
    newDispatcher: (limits = {}) => {
      const registry = new Registry();
      const metrics: RelayMetrics = createRelayMetrics(registry);
      return {
        registry,
        database: jobs.relay,
        engine,
        definitionOf: (kind) =>
          WORKFLOWS.has(kind.slice(5)) ? { workflowType: kind.slice(5), queue: 'tests' } : undefined,
        logger: createLogger('relay', 'silent'),
        metrics,
        limits: { ...DISPATCH_LIMITS, ...limits },
      };
    },
    startWorker: async () => {
      closers.push(await startRelayedWorker(jobs, temporal));
    },
    outboxOf: async (jobId) => {
      const { rows } = await jobs.relay.query<OutboxState>(
        `select message, attempts, last_error, dispatched_at is not null as sent
         from longhaul.outbox where job_id = $1 order by id`,
        [jobId],
      );
      return rows;
    },
    close: async () => {
      for (const close of closers) await close();
      await engine.close();
      await jobs.close();
    },
  };
}

/** A worker of the test workflows; answers what ends it. */
export async function startRelayedWorker(
  jobs: TenantJobs,
  temporal: { address: string; namespace: string },
): Promise<() => Promise<void>> {
  const quiet = new DefaultLogger('ERROR', () => undefined);
  try {
    Runtime.install({ logger: quiet });
  } catch (error) {
    // One runtime a process: a second worker shares the first one's.
    if (!(error instanceof Error && error.name === 'IllegalStateError')) throw error;
  }
  const connection = await NativeConnection.connect({ address: temporal.address });
  const { dataConverter } = createDataConverter({ cipher: jobs.cipher, database: jobs.app });
  const worker = await Worker.create({
    connection,
    namespace: temporal.namespace,
    dataConverter,
    taskQueue: WORKFLOW_TASK_QUEUE,
    shutdownGraceTime: 0,
    workflowBundle: await bundleWorkflowCode({
      logger: quiet,
      workflowsPath: fileURLToPath(new URL('./relayed.workflows.ts', import.meta.url)),
      failureConverterPath,
    }),
  });
  const running = worker.run();
  return async () => {
    worker.shutdown();
    await running;
    await connection.close();
  };
}

/** The value of a metric's series, 0 where there is none yet. */
export async function valueOf(
  registry: Registry,
  name: string,
  labels: Record<string, string> = {},
): Promise<number> {
  const metric = await registry.getSingleMetric(name)?.get();
  if (metric === undefined) throw new Error(`No metric ${name}`);
  const matching = metric.values.filter((value) =>
    Object.entries(labels).every(([label, expected]) => value.labels[label] === expected),
  );
  return matching.reduce((sum, { value }) => sum + value, 0);
}
