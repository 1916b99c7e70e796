/** Names the workflow side and the activity side of the engine agree on. Pure: both sandboxes import it. */
import type {
  DeadLetter,
  RecalledPage,
  RecallRequest,
  RulingAnswer,
  RulingRequest,
  SagaEnd,
  SettleRequest,
  Unparking,
} from '../protocol.js';
import type { JobRef } from '../implement.js';

/** Hosts the workflow code and the engine's own bookkeeping. */
export const WORKFLOW_TASK_QUEUE = 'workflows';

export const FINISH_ACTIVITY = 'saga.finish';
export const PARK_ACTIVITY = 'saga.park';
export const UNPARK_ACTIVITY = 'saga.unpark';
export const RULE_ACTIVITY = 'saga.rule';
export const SETTLE_ACTIVITY = 'saga.settle';
export const RECALL_ACTIVITY = 'saga.recall';

export interface FinishRequest {
  readonly job: JobRef;
  readonly end: SagaEnd;
}

export interface ParkRequest {
  readonly job: JobRef;
  readonly letter: DeadLetter;
}

export interface UnparkRequest {
  readonly job: JobRef;
  readonly unparking: Unparking;
}

export interface RuleRequest {
  readonly job: JobRef;
  readonly ruling: RulingRequest;
}

export interface RecallPageRequest {
  readonly job: JobRef;
  readonly recall: RecallRequest;
}

/** The engine's bookkeeping, as activities. */
export interface EngineActivities {
  [FINISH_ACTIVITY](request: FinishRequest): Promise<void>;
  [PARK_ACTIVITY](request: ParkRequest): Promise<void>;
  [UNPARK_ACTIVITY](request: UnparkRequest): Promise<void>;
  [RULE_ACTIVITY](request: RuleRequest): Promise<RulingAnswer>;
  [SETTLE_ACTIVITY](request: SettleRequest): Promise<unknown>;
  [RECALL_ACTIVITY](request: RecallPageRequest): Promise<RecalledPage>;
}
