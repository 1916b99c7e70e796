/**
 * Makes the engine's schedules out of the rows, which are the truth. The engine's action is a workflow that accepts the
 * run's job (workflows/scheduled-run.ts); it gets no argument, because its id says whose it is.
 */
import {
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  type ScheduleUpdateOptions,
} from '@temporalio/client';
import { backoffMs } from '../outbox/backoff.js';
import type { BatchResult, Dispatcher } from '../outbox/dispatcher.js';
import { onlyOne } from '../outbox/schedule.js';
import { WORKFLOW_TASK_QUEUE } from '../saga/temporal/engine.js';
import type { Database } from '../store/database.js';
import type { EngineClient } from '../temporal/connection.js';
import { classifyEngineError } from '../temporal/engine.error.js';
import {
  listSynced,
  listUnsynced,
  markSynced,
  postponeSync,
  unsync,
  type UnsyncedSchedule,
} from './schedule-sync.store.js';
import type { Overlap } from './schedules.store.js';

export const SCHEDULED_RUN_WORKFLOW = 'scheduledRun';
/** How long after the engine was told it may not know of it: its lists lag. */
const SETTLED_MS = 60_000;
const PAGE_MAX = 1_000;
const NO_ID = '00000000-0000-0000-0000-000000000000';

const OVERLAP = {
  skip: 'SKIP',
  bufferOne: 'BUFFER_ONE',
  bufferAll: 'BUFFER_ALL',
  allowAll: 'ALLOW_ALL',
  cancelOther: 'CANCEL_OTHER',
} as const satisfies Record<Overlap, string>;

/** Tells the engine of what was changed, one batch of it, by one relay at a time: two could overtake each other. */
export async function dispatchSchedules(dispatcher: Dispatcher): Promise<BatchResult> {
  let result: BatchResult = { claimed: 0, sent: 0, engineAway: false };
  if ((await listUnsynced(dispatcher.database, 1)).length === 0) return result;
  await onlyOne(dispatcher.database, 'schedules', async () => {
    const schedules = await listUnsynced(dispatcher.database, dispatcher.limits.batchSizeMax);
    let sent = 0;
    for (const schedule of schedules) {
      try {
        await tell(dispatcher, schedule);
        sent += 1;
      } catch (error) {
        const kind = classifyEngineError(error);
        dispatcher.metrics.failures.inc({ message: 'schedule', class: kind });
        if (kind === 'away') {
          result = { claimed: schedules.length, sent, engineAway: true, awayError: error };
          return;
        }
        const delayMs = backoffMs(dispatcher.limits.rowBackoff, schedule.attempts + 1);
        await postponeSync(dispatcher.database, schedule.id, delayMs);
        dispatcher.logger.warn(
          { scheduleId: schedule.id, err: error, delayMs },
          'The engine refused a schedule',
        );
      }
    }
    result = { claimed: schedules.length, sent, engineAway: false };
  });
  return result;
}

async function tell({ engine, database, limits, metrics }: Dispatcher, row: UnsyncedSchedule): Promise<void> {
  engine.tenants.remember(row.id, row.tenantId);
  await engine.connection.withDeadline(Date.now() + limits.callTimeoutMs, () =>
    row.isDeleted ? remove(engine, row.id) : put(engine, row),
  );
  await markSynced(database, row);
  metrics.dispatched.inc({ message: 'schedule', outcome: row.isDeleted ? 'deleted' : 'put' });
}

async function put({ client }: EngineClient, row: UnsyncedSchedule): Promise<void> {
  const { id, paused } = row;
  const schedule = {
    spec: { cronExpressions: [row.cron], timezone: row.timeZone },
    action: {
      type: 'startWorkflow',
      workflowType: SCHEDULED_RUN_WORKFLOW,
      workflowId: `${id}/run`,
      taskQueue: WORKFLOW_TASK_QUEUE,
      args: [],
    },
    policies: {
      overlap: OVERLAP[row.overlap],
      catchupWindow: row.catchUpSeconds * 1_000,
      pauseOnFailure: false,
    },
    state: { paused },
  } as const satisfies ScheduleUpdateOptions;
  try {
    await client.schedule.create({ scheduleId: id, ...schedule });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    await client.schedule.getHandle(id).update(() => schedule);
  }
}

async function remove({ client }: EngineClient, id: string): Promise<void> {
  try {
    await client.schedule.getHandle(id).delete();
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error;
  }
}

/** Has the engine told again where it has not what it was told: gone, paused or resumed by hand, still there. Answers how many. */
export async function reconcileSchedules(
  database: Database,
  engine: EngineClient,
  settledMs = SETTLED_MS,
): Promise<number> {
  const there = new Map<string, boolean>();
  for await (const { scheduleId, state } of engine.client.schedule.list({ pageSize: PAGE_MAX }))
    there.set(scheduleId, state.paused);
  let mended = 0;
  for (let afterId: string | undefined = NO_ID; afterId !== undefined;) {
    const known = await listSynced(database, settledMs, afterId, PAGE_MAX);
    const astray = known.filter(({ id, paused, isDeleted }) =>
      isDeleted ? there.has(id) : there.get(id) !== paused,
    );
    if (astray.length > 0)
      await unsync(
        database,
        astray.map(({ id }) => id),
      );
    mended += astray.length;
    afterId = known.length < PAGE_MAX ? undefined : known.at(-1)?.id;
  }
  return mended;
}
