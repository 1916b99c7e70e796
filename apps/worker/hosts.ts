/** The Temporal workers of one process: one for each task queue it is told. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker, type WorkerOptions } from '@temporalio/worker';
import type { Settings } from '../../libs/config/settings.js';
import type { World } from '../../libs/saga/attempt/world.js';
import type { AnyJobDefinition } from '../../libs/saga/define.js';
import type { Implementation } from '../../libs/saga/implement.js';
import { bindActivities, engineActivities } from '../../libs/saga/temporal/activities.js';
import type { ScheduledRunActivities } from '../../libs/schedules/scheduled-run.js';
import type { EngineConnectionForWorkers } from '../../libs/temporal/connection.js';
import type { QueuePlan } from './queue-plan.js';

/** An activity that ignores its cancellation must not block the shutdown longer than this past the grace period. */
export const SHUTDOWN_FORCE_MARGIN_MS = 5_000;

/** A cancel is heard with the next heartbeat that reaches the server. */
const HEARTBEAT_THROTTLE_MS = 200;
/** A crashed workflow worker stalls its workflows this long (10 s by default). */
const STICKY_TIMEOUT = '1s';
const BOOKKEEPING_CONCURRENCY = 20;
const CACHED_WORKFLOWS_MAX = 500;

export interface HostParts {
  readonly engine: EngineConnectionForWorkers;
  readonly settings: Settings;
  readonly definitions: readonly AnyJobDefinition[];
  readonly implementations: ReadonlyMap<string, Implementation<AnyJobDefinition>>;
  readonly world: World;
  /** Of schedules. */
  readonly runs: ScheduledRunActivities;
}

/** Creates the worker of one task queue; it polls once it is run. */
export async function createHost(plan: QueuePlan, parts: HostParts): Promise<Worker> {
  const { engine, settings } = parts;
  return Worker.create({
    connection: engine.connection,
    namespace: engine.namespace,
    dataConverter: engine.dataConverter,
    taskQueue: plan.queue,
    ...versioningOptions(settings.temporal),
    shutdownGraceTime: settings.workerGraceMs,
    shutdownForceTime: settings.workerGraceMs + SHUTDOWN_FORCE_MARGIN_MS,
    maxHeartbeatThrottleInterval: HEARTBEAT_THROTTLE_MS,
    defaultHeartbeatThrottleInterval: HEARTBEAT_THROTTLE_MS,
    ...(plan.hosts === 'workflows' ? workflowOptions(parts) : activityOptions(plan, parts)),
  });
}

/**
 * Where the environment names a version, jobs stay with the version they began on, and begin on the one made current
 * (docs/changing-a-kind.md); else any worker serves any job.
 */
export function versioningOptions({
  version,
}: Pick<Settings['temporal'], 'version'>): Pick<WorkerOptions, 'workerDeploymentOptions'> {
  if (version === undefined) return {};
  return {
    workerDeploymentOptions: { version, useWorkerVersioning: true, defaultVersioningBehavior: 'PINNED' },
  };
}

function workflowOptions({ definitions, settings, world, runs }: HostParts): Partial<WorkerOptions> {
  const codePath = fileURLToPath(new URL('../../workflow-bundle.js', import.meta.url));
  if (!existsSync(codePath)) {
    throw new Error(`The workflow bundle is missing (${codePath}); run: npm run build`);
  }
  return {
    workflowBundle: { codePath },
    activities: { ...engineActivities(definitions, world), ...runs },
    stickyQueueScheduleToStartTimeout: STICKY_TIMEOUT,
    maxCachedWorkflows: CACHED_WORKFLOWS_MAX,
    maxConcurrentWorkflowTaskExecutions: settings.workflowConcurrency,
    maxConcurrentActivityTaskExecutions: BOOKKEEPING_CONCURRENCY,
  };
}

function activityOptions(
  plan: Extract<QueuePlan, { hosts: 'activities' }>,
  { settings, implementations, world }: HostParts,
): Partial<WorkerOptions> {
  const bound = plan.definitions.map((definition) =>
    // checkKinds has seen that it is there.
    bindActivities(
      definition,
      implementations.get(definition.kind) as Implementation<AnyJobDefinition>,
      world,
      plan.pool,
    ),
  );
  return {
    activities: Object.assign({}, ...bound) as object,
    maxConcurrentActivityTaskExecutions: settings.concurrency[plan.pool],
  };
}
