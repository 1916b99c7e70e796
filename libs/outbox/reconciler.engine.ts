/** The engine's half of the comparison: raw calls, because ids and states are in plain and nothing needs opening. */
import proto from '@temporalio/proto';
import type { EngineClient } from '../temporal/connection.js';
import { classifyEngineError } from '../temporal/engine.error.js';

/** How a job's workflow stands. `absent`: the engine never had it, or its retention is over. */
export type WorkflowState =
  | { readonly is: 'absent' }
  | { readonly is: 'running'; readonly failedTaskAttempts: number }
  | { readonly is: 'terminated' }
  | { readonly is: 'closed' };

const Status = proto.temporal.api.enums.v1.WorkflowExecutionStatus;

export interface EngineView {
  /** Which of these workflows run, as far as visibility knows (it lags by a second or so). */
  runningAmong(workflowIds: readonly string[]): Promise<Set<string>>;
  /** How a workflow stands, from the engine's own state, which does not lag. */
  describe(workflowId: string): Promise<WorkflowState>;
  /** One page of workflow ids of ours that run, optionally narrowed; `next` is undefined on the last one. */
  listRunning(
    narrowedBy: string | undefined,
    page: Uint8Array | undefined,
  ): Promise<{ ids: string[]; next?: Uint8Array }>;
}

/** Read access to the engine; each call takes `callTimeoutMs` at most, and throws what the client throws. */
export function createEngineView(engine: EngineClient, callTimeoutMs: number, pageSize: number): EngineView {
  const { connection, namespace } = engine;
  const { workflowService } = connection;
  const inTime = <R>(call: () => Promise<R>): Promise<R> =>
    connection.withDeadline(Date.now() + callTimeoutMs, call);

  return {
    runningAmong: async (workflowIds) => {
      if (workflowIds.length === 0) return new Set();
      const ids = workflowIds.map((id) => `'${id}'`).join(',');
      const query = `WorkflowId IN (${ids}) AND ExecutionStatus = 'Running'`;
      const { executions } = await inTime(() =>
        workflowService.listWorkflowExecutions({ namespace, query, pageSize: workflowIds.length }),
      );
      return new Set(executions.flatMap((execution) => execution.execution?.workflowId ?? []));
    },
    describe: async (workflowId) => {
      try {
        const { workflowExecutionInfo: info, pendingWorkflowTask: task } = await inTime(() =>
          workflowService.describeWorkflowExecution({ namespace, execution: { workflowId } }),
        );
        if (info?.status === Status.WORKFLOW_EXECUTION_STATUS_RUNNING) {
          return { is: 'running', failedTaskAttempts: Math.max(0, (task?.attempt ?? 1) - 1) };
        }
        return { is: info?.status === Status.WORKFLOW_EXECUTION_STATUS_TERMINATED ? 'terminated' : 'closed' };
      } catch (error) {
        if (classifyEngineError(error) === 'not_found') return { is: 'absent' };
        throw error;
      }
    },
    listRunning: async (narrowedBy, page) => {
      const query = `ExecutionStatus = 'Running' AND Kind IS NOT NULL${narrowedBy ? ` AND ${narrowedBy}` : ''}`;
      const { executions, nextPageToken } = await inTime(() =>
        workflowService.listWorkflowExecutions({
          namespace,
          query,
          pageSize,
          ...(page ? { nextPageToken: page } : {}),
        }),
      );
      const ids = executions.flatMap((execution) => execution.execution?.workflowId ?? []);
      return nextPageToken.length > 0 ? { ids, next: nextPageToken } : { ids };
    },
  };
}
