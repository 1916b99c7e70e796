/** Runs shapes of kinds on a Temporal server, each a job of its own, and takes their histories. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, WorkflowHandle } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker, type NativeConnection, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { CANCEL_SIGNAL, STATE_QUERY } from '../../libs/saga/protocol.js';
import type { SagaState } from '../../libs/saga/state.js';
import { PARK_ACTIVITY, WORKFLOW_TASK_QUEUE } from '../../libs/saga/temporal/engine.js';
import { createHostedJobs } from './hosted-jobs.js';
import { normalised } from './normalise.js';
import type { RecordedKind } from './recorded-kinds.js';
import type { Control, Shape } from './shape.js';
import type { StoredHistory } from './stored-history.js';

export interface RecorderServer {
  readonly client: Client;
  readonly connection: NativeConnection;
  readonly dataConverter: DataConverter;
}

export interface Recorder {
  /** Throws when the job does not end as its shape says. */
  record(kind: RecordedKind, shape: Shape): Promise<StoredHistory>;
  close(): Promise<void>;
}

const POLL_MS = 50;
const RECORD_TIMEOUT_MS = 60_000;
/** Of client and workers: nothing of the machine goes into a history. */
export const IDENTITY = 'recorder';
const ENDS: Readonly<Record<string, Shape['ends']>> = {
  COMPLETED: 'SUCCEEDED',
  FAILED: 'FAILED',
  CANCELLED: 'CANCELLED',
};

/** The same in every recording, so that what differs from one to the next is what changed. */
export function jobIdOf(kind: RecordedKind, shape: Shape): string {
  const hex = createHash('sha256').update(`${kind.definition.kind}/${shape.name}`).digest('hex');
  return `00000000-0000-7000-8000-${hex.slice(0, 12)}`;
}

/** Starts workers for the kinds' queues. */
export async function createRecorder(
  { client, connection, dataConverter }: RecorderServer,
  workflowBundle: WorkflowBundleWithSourceMap,
  kinds: readonly RecordedKind[],
): Promise<Recorder> {
  const jobs = createHostedJobs(kinds);
  const { activities } = jobs;
  const common = { connection, dataConverter, identity: IDENTITY, activities };
  const heartbeats = { maxHeartbeatThrottleInterval: 200, defaultHeartbeatThrottleInterval: 200 };
  const workers = await Promise.all([
    Worker.create({ ...common, taskQueue: WORKFLOW_TASK_QUEUE, workflowBundle }),
    ...jobs.taskQueues.map((taskQueue) => Worker.create({ ...common, ...heartbeats, taskQueue })),
  ]);
  const running = Promise.all(workers.map((worker) => worker.run()));

  return {
    async record(kind, shape) {
      const jobId = jobIdOf(kind, shape);
      const handle = client.workflow.getHandle(jobId);
      const control: Control = {
        cancel: () => handle.signal(CANCEL_SIGNAL, { reason: 'Not wanted any more' }),
        cancelNatively: async () => void (await handle.cancel()),
      };
      await jobs.start(client, { ...shape, kind, jobId, scripts: shape.scripts?.(control) });
      try {
        await reachEnd(handle, shape, control);
        return normalised(JSON.parse(historyToJSON(await handle.fetchHistory())) as StoredHistory);
      } catch (error) {
        throw new Error(`${kind.definition.kind} ${shape.name}: ${String(error)}`, { cause: error });
      } finally {
        if ((await handle.describe()).status.name === 'RUNNING') await handle.terminate('Recorded');
      }
    },
    async close() {
      for (const worker of workers) worker.shutdown();
      await running;
    },
  };
}

/** Waits until the job is where its shape says. */
async function reachEnd(handle: WorkflowHandle, shape: Shape, control: Control): Promise<void> {
  const giveUpAt = Date.now() + RECORD_TIMEOUT_MS;
  let isAsked = false;
  let last = 'not there';
  while (Date.now() < giveUpAt) {
    await sleep(POLL_MS);
    const { status, raw } = await handle.describe();
    last = status.name;
    if (last !== 'RUNNING') {
      if (ENDS[last] === shape.ends) return;
      break;
    }
    // An open history must end with a completed workflow task, and a park be on record.
    const isParking = raw.pendingActivities?.some(({ activityType }) => activityType?.name === PARK_ACTIVITY);
    if (raw.pendingWorkflowTask || isParking) continue;
    const { phase, steps } = await handle.query<SagaState>(STATE_QUERY);
    const isThere = steps.some(({ name, status }) => name === shape.openAt && status === 'running');
    if (shape.ends === 'OPEN' && isThere) return;
    if (phase !== 'parked') continue;
    last = phase;
    if (shape.ends === 'PARKED') return;
    if (!shape.whenParked) break;
    if (!isAsked) await shape.whenParked(control);
    isAsked = true;
  }
  throw new Error(`it should have been ${shape.ends}, and is ${last}`);
}
