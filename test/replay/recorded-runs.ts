/**
 * Histories of what a schedule starts (workflows/scheduled-run.ts): it is no saga, and yet code that open runs replay, those
 * that wait for a long job above all.
 */
import { Client, type Connection, type WorkflowHandle } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker, type NativeConnection, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { WORKFLOW_TASK_QUEUE } from '../../libs/saga/temporal/engine.js';
import { SCHEDULED_RUN_WORKFLOW } from '../../libs/schedules/schedule-sync.js';
import {
  ACCEPT_RUN_ACTIVITY,
  CANCEL_RUN_ACTIVITY,
  ENDED_SIGNAL,
  RUN_ENDED_ACTIVITY,
  type ScheduledRunActivities,
} from '../../libs/schedules/scheduled-run.js';
import { eventually } from '../support/stack.js';
import { normalised } from './normalise.js';
import { IDENTITY, idOf } from './recorder.js';
import type { Shape } from './shape.js';
import type { StoredHistory } from './stored-history.js';
import { testCodec } from './test-key.js';

/** `whenWaiting`: what is done once it waits for its job's end. */
export interface RunShape extends Pick<Shape, 'name' | 'what' | 'ends'> {
  readonly whenWaiting?: (run: WorkflowHandle) => Promise<unknown>;
}

const NO_JOB = 'no-job';

export const runShapes: readonly RunShape[] = [
  {
    name: 'straight',
    what: 'The run’s job is accepted, and its end told.',
    ends: 'SUCCEEDED',
    whenWaiting: (run) => run.signal(ENDED_SIGNAL),
  },
  {
    name: NO_JOB,
    what: 'There is no job to wait for: refused, paused, or made by another.',
    ends: 'SUCCEEDED',
  },
  { name: 'under-way', what: 'The run’s job goes on.', ends: 'OPEN' },
  {
    name: 'replaced',
    what: 'Another run takes its place: its job is cancelled, and the end of that awaited.',
    ends: 'SUCCEEDED',
    whenWaiting: (run) => run.cancel(),
  },
];

export interface RunServer {
  readonly connection: Connection;
  readonly nativeConnection: NativeConnection;
  readonly failureConverterPath: string;
}

/** Runs each shape on a server that nobody else works for, and takes their histories, sealed as in production. */
export async function recordRuns(
  { connection, nativeConnection, failureConverterPath }: RunServer,
  workflowBundle: WorkflowBundleWithSourceMap,
  shapes: readonly RunShape[],
): Promise<ReadonlyMap<RunShape, StoredHistory>> {
  const dataConverter = { payloadCodecs: [testCodec()], failureConverterPath };
  const client = new Client({ connection, dataConverter, identity: IDENTITY });
  const scheduleOf = ({ name }: Pick<RunShape, 'name'>): string => idOf(`${SCHEDULED_RUN_WORKFLOW}/${name}`);
  const runOf = (scheduleId: string): WorkflowHandle => client.workflow.getHandle(`${scheduleId}/run`);
  const activities: ScheduledRunActivities = {
    [ACCEPT_RUN_ACTIVITY]: async ({ scheduleId }) =>
      scheduleId === scheduleOf({ name: NO_JOB }) ? null : idOf(`${scheduleId}/job`),
    [RUN_ENDED_ACTIVITY]: async () => false,
    // Its end is told as the end of any other.
    [CANCEL_RUN_ACTIVITY]: ({ scheduleId }) => runOf(scheduleId).signal(ENDED_SIGNAL),
  };
  const worker = await Worker.create({
    ...{ connection: nativeConnection, dataConverter, identity: IDENTITY, workflowBundle },
    taskQueue: WORKFLOW_TASK_QUEUE,
    activities: { ...activities },
  });
  const running = worker.run();

  async function record(shape: RunShape): Promise<StoredHistory> {
    const run = runOf(scheduleOf(shape));
    const options = { workflowId: run.workflowId, taskQueue: WORKFLOW_TASK_QUEUE, args: [] };
    await client.workflow.start(SCHEDULED_RUN_WORKFLOW, options);
    if (shape.ends === 'OPEN' || shape.whenWaiting)
      await eventually('the wait for the job', () => isIdle(run));
    await shape.whenWaiting?.(run);
    if (shape.ends !== 'OPEN') await run.result();
    return normalised(JSON.parse(historyToJSON(await run.fetchHistory())) as StoredHistory);
  }

  const histories = new Map<RunShape, StoredHistory>();
  try {
    for (const shape of shapes) histories.set(shape, await record(shape));
  } finally {
    worker.shutdown();
    await running;
  }
  return histories;
}

/** Nothing is under way of it: it waits. */
async function isIdle(run: WorkflowHandle): Promise<boolean> {
  const { pendingWorkflowTask, pendingActivities } = (await run.describe()).raw;
  return !pendingWorkflowTask && !pendingActivities?.length;
}
