/** The little the API asks of Temporal: a workflow's state, who polls a queue, and whether the server answers at all. */
import type { EngineClient } from '../../../libs/temporal/connection.js';

export interface TaskQueue {
  readonly name: string;
  readonly runs: 'workflows' | 'activities';
}

export interface Engine {
  /** The answer of the workflow's `state` query, unchecked. Throws when there is none in time. */
  queryState(tenantId: string, jobId: string): Promise<unknown>;
  /** Whether a worker has polled the queue lately. Throws when the engine does not say in time. */
  isPolled(queue: TaskQueue): Promise<boolean>;
  /** When a schedule's next runs are, RFC 3339. Throws where the engine does not say in time, or has no such schedule. */
  nextRuns(scheduleId: string): Promise<string[]>;
  isUp(): Promise<boolean>;
}

const MS_PER_SECOND = 1_000;
/** A query that has not answered by then holds up nobody: readers wait 300 ms only. */
const QUERY_DEADLINE_MS = 1_000;
const HEALTH_DEADLINE_MS = 1_000;
/** Readers wait for it. */
const POLLS_DEADLINE_MS = 300;
/** Of the engine's own query of its schedule; who reads it asked for it. */
const SCHEDULE_DEADLINE_MS = 1_000;
/** A poll lasts a minute at most, and the next one follows; the server remembers pollers for five. */
const POLLED_WITHIN_MS = 90_000;

/** temporal.api.enums.v1.TaskQueueType */
const TASK_QUEUE_TYPE = { workflows: 1, activities: 2 } as const;

/** The engine behind a client of libs/temporal. */
export function createEngine({ client, connection, namespace, tenants }: EngineClient): Engine {
  return {
    queryState(tenantId, jobId) {
      tenants.remember(jobId, tenantId);
      return client.connection.withDeadline(Date.now() + QUERY_DEADLINE_MS, () =>
        client.workflow.getHandle(jobId).query('state'),
      );
    },
    async isPolled({ name, runs }) {
      const { pollers } = await connection.withDeadline(Date.now() + POLLS_DEADLINE_MS, () =>
        connection.workflowService.describeTaskQueue({
          namespace,
          taskQueue: { name },
          taskQueueType: TASK_QUEUE_TYPE[runs],
        }),
      );
      const since = (Date.now() - POLLED_WITHIN_MS) / MS_PER_SECOND;
      return pollers.some(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) >= since);
    },
    async nextRuns(scheduleId) {
      const { info } = await connection.withDeadline(Date.now() + SCHEDULE_DEADLINE_MS, () =>
        client.schedule.getHandle(scheduleId).describe(),
      );
      return info.nextActionTimes.map((time) => time.toISOString());
    },
    isUp: () =>
      connection
        .withDeadline(Date.now() + HEALTH_DEADLINE_MS, () => connection.workflowService.getSystemInfo({}))
        .then(
          () => true,
          () => false,
        ),
  };
}
