/** What the engine says: every execution it knows, by raw calls, because ids and states are in plain. */
import { Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import type { WorkflowRun } from './evidence.js';

const NAMESPACE = 'default';
const PAGE_SIZE = 500;
const PAGES_MAX = 200;
const CALL_TIMEOUT_MS = 15_000;
const Status = proto.temporal.api.enums.v1.WorkflowExecutionStatus;

const NAMES: Readonly<Record<number, WorkflowRun['status']>> = {
  [Status.WORKFLOW_EXECUTION_STATUS_RUNNING]: 'running',
  [Status.WORKFLOW_EXECUTION_STATUS_COMPLETED]: 'completed',
  [Status.WORKFLOW_EXECUTION_STATUS_FAILED]: 'failed',
  [Status.WORKFLOW_EXECUTION_STATUS_CANCELED]: 'canceled',
  [Status.WORKFLOW_EXECUTION_STATUS_TERMINATED]: 'terminated',
  [Status.WORKFLOW_EXECUTION_STATUS_TIMED_OUT]: 'timed out',
  [Status.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW]: 'continued',
};

export interface EngineWitness {
  /** All executions, or those that run. */
  list(which: 'all' | 'running'): Promise<WorkflowRun[]>;
  close(): Promise<void>;
}

/** Does not wait for the engine: calls fail while it is away. */
export function openEngineWitness(address: string): EngineWitness {
  const connection = Connection.lazy({
    address,
    channelArgs: { 'grpc.initial_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': 1_000 },
  });
  return {
    async list(which) {
      const runs: WorkflowRun[] = [];
      let nextPageToken: Uint8Array = new Uint8Array();
      for (let page = 0; page < PAGES_MAX; page += 1) {
        const answer = await connection.withDeadline(Date.now() + CALL_TIMEOUT_MS, () =>
          connection.workflowService.listWorkflowExecutions({
            namespace: NAMESPACE,
            pageSize: PAGE_SIZE,
            nextPageToken,
            query: which === 'running' ? `ExecutionStatus = 'Running'` : '',
          }),
        );
        for (const { execution, status } of answer.executions) {
          runs.push({
            workflowId: execution?.workflowId ?? '',
            runId: execution?.runId ?? '',
            status: NAMES[status ?? 0] ?? 'other',
          });
        }
        if (answer.nextPageToken.length === 0) return runs;
        nextPageToken = answer.nextPageToken;
      }
      throw new Error(`The engine has more than ${PAGES_MAX * PAGE_SIZE} executions.`);
    },
    close: () => connection.close(),
  };
}
