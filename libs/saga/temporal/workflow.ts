/** Binds a definition to Temporal, for the workflow sandbox: one exported function a kind, named as its type. */
import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  setHandler,
} from '@temporalio/workflow';
import type { AnyJobDefinition } from '../define.js';
import { interpret, type Continued } from '../interpreter/interpreter.js';
import {
  CANCEL_SIGNAL,
  DECIDE_UPDATE,
  DECISION_REFUSED,
  READY_SIGNAL,
  STATE_QUERY,
  WAKE_SIGNAL,
  type CancelWish,
  type DecisionWish,
  type HolderReady,
  type SagaEnd,
  type SagaStart,
} from '../protocol.js';
import type { SagaState } from '../state.js';
import { PlainScope } from './scopes.js';
import { createTemporalRuntime, type TemporalRuntimeOptions } from './workflow-runtime.js';

const cancelSignal = defineSignal<[CancelWish?]>(CANCEL_SIGNAL);
const wakeSignal = defineSignal(WAKE_SIGNAL);
const readySignal = defineSignal<[HolderReady]>(READY_SIGNAL);
const decideUpdate = defineUpdate<void, [DecisionWish]>(DECIDE_UPDATE);
const stateQuery = defineQuery<SagaState>(STATE_QUERY);

/** The workflow of a kind, given or loaded when it starts. Export it under `definition.workflowType`. */
export function bindWorkflow(
  kind: AnyJobDefinition | (() => Promise<AnyJobDefinition>),
  options: TemporalRuntimeOptions = {},
): (start: SagaStart) => Promise<unknown> {
  return async (start) => {
    const definition = typeof kind === 'function' ? await kind() : kind;
    const root = CancellationScope.current();
    // Nothing cancels the engine: compensation and the terminal record are shielded (S4).
    const end = await new PlainScope({ cancellable: false }).run(() =>
      runSaga(definition, start, root, options),
    );
    // Every handler ends in the turn it begins in: none is under way here.
    if (end.status === 'CONTINUED') return continueAsNew(end.start);
    if (end.status === 'SUCCEEDED') return end.result;
    if (end.status === 'CANCELLED') {
      // The record's activity has asked the server to cancel this run, so that it shows as cancelled.
      await root.cancelRequested.catch(() => 'as asked');
      throw new CancelledFailure(end.error.title);
    }
    const { code, title } = end.error;
    throw ApplicationFailure.create({ type: code, message: title, nonRetryable: true, details: [end.error] });
  };
}

function runSaga(
  definition: AnyJobDefinition,
  start: SagaStart,
  root: CancellationScope,
  options: TemporalRuntimeOptions,
): Promise<SagaEnd | Continued> {
  const job = { id: start.jobId, tenantId: start.tenantId, kind: start.kind };
  const runtime = createTemporalRuntime(definition, job, options);
  const saga = interpret(definition, start, runtime);
  setHandler(stateQuery, () => saga.state);
  setHandler(readySignal, (word) => runtime.holderReady(word));
  setHandler(wakeSignal, () => saga.wake());
  setHandler(cancelSignal, (wish) => saga.cancel(wish ?? {}));
  setHandler(decideUpdate, (wish) => saga.decide(wish), {
    validator(wish: DecisionWish) {
      const refusal = saga.refusalOf(wish);
      if (refusal !== undefined) throw ApplicationFailure.nonRetryable(refusal, DECISION_REFUSED);
    },
  });
  // A cancel from the Web UI is the same wish.
  root.cancelRequested.catch(() => saga.cancel({}));
  return saga.run();
}
