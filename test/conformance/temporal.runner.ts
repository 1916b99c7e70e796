/** Runs scenarios on a Temporal server: the same interpreter and attempts, the server's retries, timers and cancels. */
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { WorkflowUpdateFailedError, type Client, type WorkflowHandle } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import {
  bundleWorkflowCode,
  DefaultLogger,
  Worker,
  type NativeConnection,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import type { AttemptEvent } from '../../libs/saga/attempt/world.js';
import { activityNameOf, taskQueueOf } from '../../libs/saga/define.js';
import { createMemoryChildren } from '../../libs/saga/memory/children.js';
import { createMemoryLedger } from '../../libs/saga/memory/ledger.js';
import { seededRandom } from '../../libs/saga/memory/random.js';
import {
  CANCEL_SIGNAL,
  DECIDE_UPDATE,
  STATE_QUERY,
  WAKE_SIGNAL,
  type DecisionWish,
  type Request,
  type SagaStart,
} from '../../libs/saga/protocol.js';
import type { SagaState } from '../../libs/saga/state.js';
import { bindActivities, engineActivities, type World } from '../../libs/saga/temporal/activities.js';
import { WORKFLOW_TASK_QUEUE } from '../../libs/saga/temporal/engine.js';
import { eventually } from '../support/stack.js';
import { order, stall } from './kinds.js';
import {
  checkRefusal,
  tell,
  type OperatorDecision,
  type Scenario,
  type ScenarioWorld,
  type Story,
} from './scenario.js';
import { suite, type KindName } from './suite.js';

export interface Server {
  readonly client: Client;
  readonly connection: NativeConnection;
  readonly namespace: string;
  /** The server's clock, which may be ahead of ours. */
  now(): Promise<number>;
}

/** A story, and how the run ended in Temporal's own words. */
export interface TemporalStory {
  readonly story: Story;
  readonly workflowStatus: string;
  /** It went on in a run of its own at least once. */
  readonly isContinued: boolean;
}

export interface TemporalRunner {
  run(scenario: Scenario): Promise<TemporalStory>;
  close(): Promise<void>;
}

const QUERY_TIMEOUT_MS = 2_000;
const POOLS = ['cpu', 'io', 'keeper'] as const;
/** Of what a worker has to do: it waits, for a worker or for its time. */
const SCHEDULED = temporal.api.enums.v1.PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED;
type Handlers = Readonly<Record<string, (request: never) => Promise<unknown>>>;

/** The workflow code of the suite, bundled once a run. */
export function bundleSuite(): Promise<WorkflowBundleWithSourceMap> {
  return bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('./workflows.ts', import.meta.url)),
    logger: new DefaultLogger('WARN'),
  });
}

/** Starts workers for the suite's kinds; each scenario's job finds its own world by its id. */
export async function createTemporalRunner(
  server: Server,
  workflowBundle: WorkflowBundleWithSourceMap,
): Promise<TemporalRunner> {
  const jobs = new Map<string, Handlers>();
  const dispatch = (name: string) => (request: { job: { id: string } }) =>
    (jobs.get(request.job.id)?.[name] as (request: unknown) => Promise<unknown>)(request);
  const names = (Object.keys(suite) as KindName[]).flatMap((kind) =>
    Object.keys(handlersOf({ kind, name: '' }, {} as World, {} as ScenarioWorld)),
  );
  const activities = Object.fromEntries(names.map((name) => [name, dispatch(name)]));
  const options = {
    connection: server.connection,
    namespace: server.namespace,
    activities,
    maxHeartbeatThrottleInterval: 200,
    defaultHeartbeatThrottleInterval: 200,
  };
  const workers = await Promise.all([
    Worker.create({ ...options, taskQueue: WORKFLOW_TASK_QUEUE, workflowBundle }),
    ...POOLS.map((pool) => Worker.create({ ...options, taskQueue: taskQueueOf(order.queue, pool) })),
    Worker.create({ ...options, taskQueue: taskQueueOf(stall.queue, 'io') }),
  ]);
  const running = Promise.all(workers.map((worker) => worker.run()));

  return {
    async run(scenario) {
      const jobId = randomUUID();
      const { definition } = suite[scenario.kind];
      const values = new Map<string, unknown>();
      const trace: AttemptEvent[] = [];
      const world: ScenarioWorld = {
        clock: { sleep },
        live: new Set(),
        log: [],
        cancel: () => server.client.workflow.getHandle(jobId).signal(CANCEL_SIGNAL, {}),
        cancelNatively: async () => void (await server.client.workflow.getHandle(jobId).cancel()),
        parked: (times) =>
          eventually('the park', async () => ledger.letters.length >= times).then(() => undefined),
      };
      const ledger = createMemoryLedger({ now: () => Date.now(), valueOf: (id) => values.get(id) });
      const timer: World['timer'] = (ms, fire) => {
        const armed = setTimeout(fire, ms);
        return () => clearTimeout(armed);
      };
      const outer: World = {
        ledger,
        children: createMemoryChildren({
          timer,
          fateOf: scenario.childFate ?? (() => ({})),
          onEnded: () =>
            void server.client.workflow
              .getHandle(jobId)
              .signal(WAKE_SIGNAL)
              .catch(() => 'ended'),
        }),
        now: () => Date.now(),
        random: seededRandom(1),
        timer,
        loadInput: async () => ({ count: scenario.count ?? 2 }),
        classify: (error) => error,
        observe: (event) => trace.push(event),
      };
      jobs.set(jobId, handlersOf(scenario, outer, world));
      const deadlineAt = new Date(
        (await server.now()) + (scenario.deadlineMs ?? definition.deadlineMs),
      ).toISOString();
      const start: SagaStart = { jobId, tenantId: randomUUID(), kind: definition.kind, deadlineAt };
      const handle = await server.client.workflow.start(definition.workflowType, {
        workflowId: jobId,
        taskQueue: WORKFLOW_TASK_QUEUE,
        args: [start],
      });
      if (scenario.cancelsWaiting) {
        await waiting(
          handle,
          activityNameOf(definition, scenario.cancelsWaiting.step),
          scenario.cancelsWaiting.attempt,
        );
        await world.cancel();
      }
      const state = await settle(server, handle, { decisions: [...(scenario.decisions ?? [])], values });
      const { status } = await handle.describe();
      const { events } = await handle.fetchHistory();
      const before = events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId;
      if (status.name === 'RUNNING') await handle.terminate('The scenario is over');
      const story = tell({ end: ledger.end, state, trace, ledger, world });
      return { story, workflowStatus: status.name, isContinued: Boolean(before) };
    },
    async close() {
      for (const worker of workers) worker.shutdown();
      await running;
    },
  };
}

interface Operator {
  readonly decisions: OperatorDecision[];
  /** What is stored with each decision, by its id. */
  readonly values: Map<string, unknown>;
}

/** The state at the end, or where the saga waits for a person and nobody decides. */
async function settle({ client }: Server, handle: WorkflowHandle, operator: Operator): Promise<SagaState> {
  // A query may miss a worker that is just taking the workflow into its cache: it is asked again.
  const state = () =>
    client.withDeadline(Date.now() + QUERY_TIMEOUT_MS, () => handle.query<SagaState>(STATE_QUERY));
  let isEnded = false;
  let decided = 0;
  const end = (): void => void (isEnded = true);
  const ended = handle.result().then(end, end);
  const parked = eventually('the saga ends or parks', async () => {
    if (isEnded) return true;
    const { park } = await state();
    if (!park || park.number <= decided) return false;
    const [next] = operator.decisions;
    if (!next) return park.until === undefined;
    if (next.onceHeldLost && !park.heldLost) return false;
    operator.decisions.shift();
    const refusal = await decide(handle, park.number, next, operator.values);
    checkRefusal(next, refusal);
    if (refusal === undefined) decided = park.number;
    return false;
  });
  await Promise.race([ended, parked]);
  return eventually('the state at the end', state);
}

/** Resolves when the attempt of this number is scheduled, and no worker has it. */
async function waiting(handle: WorkflowHandle, activity: string, attempt: number): Promise<void> {
  await eventually(`attempt ${attempt} of ${activity} waits`, async () => {
    const { raw } = await handle.describe();
    return raw.pendingActivities?.some(
      (one) => one.activityType?.name === activity && one.attempt === attempt && one.state === SCHEDULED,
    );
  });
}

/** Answers why it was refused, where it was. */
async function decide(
  handle: WorkflowHandle,
  park: number,
  { decision, value }: OperatorDecision,
  values: Map<string, unknown>,
): Promise<string | undefined> {
  const id = randomUUID();
  values.set(id, value);
  const corrects = decision === 'retry' && value !== undefined ? { corrects: true } : {};
  const wish: DecisionWish = { id, park, decision, ...corrects };
  const updated = handle.executeUpdate(DECIDE_UPDATE, { args: [wish], updateId: id });
  return updated.then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof WorkflowUpdateFailedError) return error.cause?.message;
      throw error;
    },
  );
}

function handlersOf({ kind, scripts }: Scenario, outer: World, world: ScenarioWorld): Handlers {
  const { definition, implement } = suite[kind];
  const implementation = implement(world, 'live' in world ? (scripts?.(world) ?? {}) : {});
  const bound: Readonly<Record<string, (request: Request) => Promise<unknown>>> = bindActivities(
    definition,
    implementation,
    outer,
  );
  const definitions = Object.values(suite).map((one) => one.definition);
  return { ...bound, ...engineActivities(definitions, outer) };
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    const wake = (): void => {
      clearTimeout(timer);
      resolve();
    };
    signal?.addEventListener('abort', wake);
    if (signal?.aborted) wake();
  });
}
