/** Runs shapes of kinds on a Temporal server, each a job of its own, and takes their histories. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, WorkflowExecutionDescription, WorkflowHandle } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker, type NativeConnection, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import {
  CANCEL_SIGNAL,
  DECIDE_UPDATE,
  STATE_QUERY,
  WAKE_SIGNAL,
  type DecisionWish,
} from '../../libs/saga/protocol.js';
import type { SagaState } from '../../libs/saga/state.js';
import { PARK_ACTIVITY, WORKFLOW_TASK_QUEUE } from '../../libs/saga/temporal/engine.js';
import { createHostedJobs } from './hosted-jobs.js';
import { normalised } from './normalise.js';
import type { RecordedKind } from './recorded-kinds.js';
import { asOf } from './replayer.js';
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
  return idOf(`${kind.definition.kind}/${shape.name}`);
}

/** The same for the same name. */
export function idOf(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex');
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
      const values = new Map<string, unknown>();
      const openChildren = {
        areAny: shape.hasOpenChildren === true,
        wake: () => handle.signal(WAKE_SIGNAL),
      };
      const control: Control = {
        async endChildren() {
          openChildren.areAny = false;
          await openChildren.wake();
        },
        cancel: () => handle.signal(CANCEL_SIGNAL, { reason: 'Not wanted any more' }),
        cancelNatively: async () => void (await handle.cancel()),
        async heldLost() {
          const isLost = async () => (await handle.query<SagaState>(STATE_QUERY)).park?.heldLost === true;
          const giveUpAt = Date.now() + RECORD_TIMEOUT_MS;
          while (!(await isLost())) {
            if (Date.now() > giveUpAt) throw new Error('nothing that was held is lost');
            await sleep(POLL_MS);
          }
        },
        async decide(park, decision, value) {
          const id = idOf(`${jobId}/${park}`);
          values.set(id, value);
          const corrects = decision === 'retry' && value !== undefined ? { corrects: true } : {};
          const wish: DecisionWish = { id, park, decision, ...corrects };
          await handle.executeUpdate(DECIDE_UPDATE, { args: [wish], updateId: id });
        },
      };
      const scripts = shape.scripts?.(control);
      await jobs.start(client, {
        ...shape,
        kind,
        jobId,
        scripts,
        openChildren,
        valueOf: (id) => values.get(id),
      });
      try {
        await reachEnd(handle, shape, control);
        const history = await historyOf(client, jobId, shape.run);
        return asOf(kind.definition.workflowType, normalised(history));
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

/** Of the job's last run, or of its first. */
async function historyOf(client: Client, jobId: string, run: Shape['run']): Promise<StoredHistory> {
  const last = await client.workflow.getHandle(jobId).fetchHistory();
  if (run === undefined) return JSON.parse(historyToJSON(last)) as StoredHistory;
  const { firstExecutionRunId } = last.events![0]!.workflowExecutionStartedEventAttributes!;
  const first = client.workflow.getHandle(jobId, firstExecutionRunId!);
  return JSON.parse(historyToJSON(await first.fetchHistory())) as StoredHistory;
}

/** Waits until the job is where its shape says. */
async function reachEnd(handle: WorkflowHandle, shape: Shape, control: Control): Promise<void> {
  const giveUpAt = Date.now() + RECORD_TIMEOUT_MS;
  const answers = [...(shape.whenParked ?? [])];
  let answered = 0;
  let isThereOnce = false;
  let last = 'not there';
  while (Date.now() < giveUpAt) {
    await sleep(POLL_MS);
    const description = await handle.describe();
    last = description.status.name;
    if (last !== 'RUNNING') {
      if (ENDS[last] === shape.ends && answers.length === 0) return;
      break;
    }
    if (isBusy(description)) continue;
    const { steps, park } = await handle.query<SagaState>(STATE_QUERY);
    if (!isThereOnce && isAt(shape, steps)) {
      if (shape.ends === 'OPEN') return;
      await shape.whenThere?.(control);
      isThereOnce = true;
    }
    if (!park || park.number <= answered || isBusy(await handle.describe())) continue;
    last = `parked at ${park.step}`;
    const answer = answers.shift();
    if (answer) await answer(control, park.number);
    else if (shape.ends === 'PARKED') return;
    else if (park.until === undefined) break;
    answered = park.number;
  }
  throw new Error(`it should have been ${shape.ends}, and is ${last}; ${answers.length} parks are to come`);
}

/** An open history must end with a completed workflow task, and a park be on record. */
function isBusy({ raw: { pendingWorkflowTask, pendingActivities } }: WorkflowExecutionDescription): boolean {
  const isParking = pendingActivities?.some(({ activityType }) => activityType?.name === PARK_ACTIVITY);
  return Boolean(pendingWorkflowTask) || isParking === true;
}

function isAt({ moment }: Shape, steps: SagaState['steps']): boolean {
  return steps.some(({ name, status }) => name === moment?.step && status === moment.status);
}
