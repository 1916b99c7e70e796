/**
 * A worker process of the bench `engine`, run as a child: `worker.main.js <saga|by-hand> <bundle>`. Both have one
 * worker for the workflows and one for the pool's activities, with the options of apps/worker/hosts.ts. Says by IPC
 * when it polls; ends on SIGTERM.
 */
import type { PayloadCodec } from '@temporalio/common';
import { DefaultLogger, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import { createWorld } from '../../apps/worker/world.js';
import { readSettings } from '../../libs/config/settings.js';
import { taskQueueOf } from '../../libs/saga/define.js';
import { bindActivities, engineActivities } from '../../libs/saga/temporal/activities.js';
import { createTenantCipher } from '../../libs/security/tenant-cipher.js';
import { openDatabase } from '../../libs/store/database.js';
import { resultAad } from '../../libs/store/job-input.store.js';
import { announceReady } from '../../libs/telemetry/ready.js';
import { onShutdown } from '../../libs/telemetry/shutdown.js';
import { connectTemporalForWorkers } from '../../libs/temporal/connection.js';
import { createPayloadCodec, createPayloadSealer } from '../../libs/temporal/payload.codec.js';
import { workflowQueueOf, type HostName } from './contenders.js';
import { createHandWrittenActivities } from './hand-written.activities.js';
import { HAND_WRITTEN_IO_QUEUE } from './hand-written.workflow.js';
import { implementTrip } from './trip.activities.js';
import { trip } from './trip.job.js';

const SHUTDOWN_GRACE_MS = 5_000;
const HEARTBEAT_THROTTLE_MS = 200;
const STICKY_TIMEOUT = '1s';
const BOOKKEEPING_CONCURRENCY = 20;
const WORKFLOW_TASK_CONCURRENCY = 40;
const CACHED_WORKFLOWS_MAX = 500;

interface Hosted {
  readonly poolQueue: string;
  readonly poolActivities: object;
  /** Beside the workflows. */
  readonly engineActivities: object;
}

const [host, codePath, tenantId] = process.argv.slice(2) as [HostName, string, string];
Runtime.install({ shutdownSignals: [], logger: new DefaultLogger('WARN') });
const settings = readSettings();
const database = openDatabase(settings.databaseUrl.worker, 'worker', {
  max: settings.databasePoolMax,
  name: `longhaul-bench ${host}`,
});
const cipher = createTenantCipher(database, settings.masterKey);
const workers = await createWorkers(host === 'saga' ? hostSaga() : hostByHand());
const running = Promise.all(workers.map((worker) => worker.run()));
onShutdown(async () => {
  for (const worker of workers) worker.shutdown();
  await running;
  await database.end();
}, SHUTDOWN_GRACE_MS);
announceReady({ role: 'worker' });

function hostSaga(): Hosted {
  const world = createWorld({ database, cipher, definitions: [trip], observe: () => undefined });
  return {
    poolQueue: taskQueueOf(trip.queue, 'io'),
    poolActivities: bindActivities(trip, implementTrip(), world, 'io'),
    engineActivities: engineActivities([trip], world),
  };
}

function hostByHand(): Hosted {
  const activities = createHandWrittenActivities(database, (jobId, result) =>
    cipher.encrypt(tenantId, Buffer.from(JSON.stringify(result)), resultAad({ id: jobId, tenantId })),
  );
  return {
    poolQueue: HAND_WRITTEN_IO_QUEUE,
    poolActivities: activities,
    engineActivities: activities,
  };
}

/** The same encryption, of a team that has one tenant: nothing is looked up. */
function codecByHand(): PayloadCodec {
  const tenants = { of: async () => tenantId, remember: () => undefined };
  return createPayloadCodec(createPayloadSealer(cipher, tenants));
}

async function createWorkers(hosted: Hosted): Promise<Worker[]> {
  const engine = await connectTemporalForWorkers(settings, { cipher, database });
  const { connection, namespace } = engine;
  const dataConverter =
    host === 'saga' ? engine.dataConverter : { ...engine.dataConverter, payloadCodecs: [codecByHand()] };
  const options: Omit<WorkerOptions, 'taskQueue'> = {
    connection,
    namespace,
    dataConverter,
    shutdownGraceTime: settings.workerGraceMs,
    maxHeartbeatThrottleInterval: HEARTBEAT_THROTTLE_MS,
    defaultHeartbeatThrottleInterval: HEARTBEAT_THROTTLE_MS,
  };
  return [
    await Worker.create({
      ...options,
      taskQueue: workflowQueueOf(host),
      workflowBundle: { codePath },
      activities: hosted.engineActivities,
      stickyQueueScheduleToStartTimeout: STICKY_TIMEOUT,
      maxCachedWorkflows: CACHED_WORKFLOWS_MAX,
      maxConcurrentWorkflowTaskExecutions: WORKFLOW_TASK_CONCURRENCY,
      maxConcurrentActivityTaskExecutions: BOOKKEEPING_CONCURRENCY,
    }),
    await Worker.create({
      ...options,
      taskQueue: hosted.poolQueue,
      activities: hosted.poolActivities,
      maxConcurrentActivityTaskExecutions: settings.concurrency.io,
    }),
  ];
}
