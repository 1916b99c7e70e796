/** The little the API asks of Temporal: a workflow's state, and whether the server answers at all. */
import type { EngineClient } from '../../../libs/temporal/connection.js';

export interface Engine {
  /** The answer of the workflow's `state` query, unchecked. Throws when there is none in time. */
  queryState(tenantId: string, jobId: string): Promise<unknown>;
  isUp(): Promise<boolean>;
}

/** A query that has not answered by then holds up nobody: readers wait 300 ms only. */
const QUERY_DEADLINE_MS = 1_000;
const HEALTH_DEADLINE_MS = 1_000;

/** The engine behind a client of libs/temporal. */
export function createEngine({ client, connection, tenants }: EngineClient): Engine {
  return {
    queryState(tenantId, jobId) {
      tenants.remember(jobId, tenantId);
      return client.connection.withDeadline(Date.now() + QUERY_DEADLINE_MS, () =>
        client.workflow.getHandle(jobId).query('state'),
      );
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
