/** Names the workflow side and the activity side of the engine agree on. Pure: both sandboxes import it. */
import type { DeadLetter, SagaEnd, SettleRequest } from '../protocol.js';
import type { JobRef } from '../implement.js';

/** Hosts the workflow code and the engine's own bookkeeping. */
export const WORKFLOW_TASK_QUEUE = 'workflows';

export const FINISH_ACTIVITY = 'saga.finish';
export const PARK_ACTIVITY = 'saga.park';
export const SETTLE_ACTIVITY = 'saga.settle';

export interface FinishRequest {
  readonly job: JobRef;
  readonly end: SagaEnd;
}

export interface ParkRequest {
  readonly job: JobRef;
  readonly letter: DeadLetter;
}

/** The engine's bookkeeping, as activities. */
export interface EngineActivities {
  [FINISH_ACTIVITY](request: FinishRequest): Promise<void>;
  [PARK_ACTIVITY](request: ParkRequest): Promise<void>;
  [SETTLE_ACTIVITY](request: SettleRequest): Promise<unknown>;
}
