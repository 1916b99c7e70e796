/** Faked kinds as Temporal activities: any worker finds a job's own fakes by the job's id. */
import type { Client } from '@temporalio/client';
import type { ChildJobs } from '../../libs/saga/child-jobs.js';
import type { ChildCounts, ChildEnd } from '../../libs/saga/children.js';
import { taskQueueOf, type AnyJobDefinition, type Pool } from '../../libs/saga/define.js';
import { createMemoryLedger } from '../../libs/saga/memory/ledger.js';
import { seededRandom } from '../../libs/saga/memory/random.js';
import type { Request, SagaStart } from '../../libs/saga/protocol.js';
import { bindActivities, engineActivities, type World } from '../../libs/saga/temporal/activities.js';
import { WORKFLOW_TASK_QUEUE } from '../../libs/saga/temporal/engine.js';
import { fakeKind, type Outputs, type Scripts } from './faked-kind.js';
import type { RecordedKind } from './recorded-kinds.js';
import type { Copy } from './shape.js';
import { TENANT } from './test-key.js';

type Handler = (request: Request) => Promise<unknown>;

export interface HostedJob {
  readonly kind: RecordedKind;
  readonly jobId: string;
  readonly input?: object | undefined;
  readonly deadlineMs?: number | undefined;
  readonly scripts?: Scripts | undefined;
  /** In the kind's place. */
  readonly copy?: Copy | undefined;
  /** Default: none are, they end at once. */
  readonly openChildren?: OpenChildren | undefined;
  /** What is stored with a decision. */
  readonly valueOf?: ((decisionId: string) => unknown) | undefined;
}

export interface OpenChildren {
  areAny: boolean;
  /** As the last one's end does. */
  wake(): Promise<void>;
}

export interface HostedJobs {
  /** For every worker: those of all kinds, and the engine's own. */
  readonly activities: Readonly<Record<string, Handler>>;
  /** Of the kinds' steps. */
  readonly taskQueues: readonly string[];
  /** Starts the workflow, as the relay does. */
  start(client: Client, job: HostedJob): Promise<void>;
}

const POOLS: readonly Pool[] = ['cpu', 'io', 'keeper'];

export function createHostedJobs(kinds: readonly RecordedKind[]): HostedJobs {
  const definitions = kinds.map(({ definition }) => definition);
  const handlers = new Map<string, Readonly<Record<string, Handler>>>();
  const handlersOf = (job: Omit<HostedJob, 'jobId'>) => {
    const { kind, copy, input = {}, scripts = {}, valueOf, openChildren = NONE_OPEN } = job;
    const world = worldOf(input, childrenOf(kind.outputsFor(input), openChildren), valueOf);
    const definition = copy?.definition ?? kind.definition;
    const engine = engineActivities(definitions, world) as unknown as Readonly<Record<string, Handler>>;
    return {
      ...bindActivities(definition, fakeKind(definition, kind.outputsFor(input), scripts), world),
      ...engine,
    };
  };
  const names = new Set(kinds.flatMap((kind) => Object.keys(handlersOf({ kind }))));
  const dispatch = (name: string): Handler => {
    return async (request) => {
      const handler = handlers.get(request.job.id)?.[name];
      if (!handler) throw new TypeError(`Nobody fakes ${name} for job ${request.job.id}`);
      return handler(request);
    };
  };
  const queues = definitions.flatMap(({ queue }) => POOLS.map((pool) => taskQueueOf(queue, pool)));
  return {
    activities: Object.fromEntries([...names].map((name) => [name, dispatch(name)])),
    taskQueues: [...new Set(queues)],
    async start(client, job) {
      const { jobId } = job;
      const definition = job.copy?.definition ?? job.kind.definition;
      const workflowType = job.copy?.workflow ?? definition.workflowType;
      const input = job.input ?? (definition.example as object);
      handlers.set(jobId, handlersOf({ ...job, input }));
      const deadlineAt = new Date(Date.now() + (job.deadlineMs ?? definition.deadlineMs)).toISOString();
      const start: SagaStart = { jobId, tenantId: TENANT, kind: definition.kind, deadlineAt };
      const options = { workflowId: jobId, taskQueue: WORKFLOW_TASK_QUEUE, args: [start] };
      await client.workflow.start(workflowType, options);
    },
  };
}

const NONE_OPEN: OpenChildren = { areAny: false, wake: async () => undefined };

/** They end as their step answers. */
function childrenOf(outputs: Outputs<AnyJobDefinition>, children: OpenChildren): ChildJobs {
  return {
    start: async () => undefined,
    async look({ step, item, generation }, { many }) {
      const call = { attempt: 1, item, generation, signal: new AbortController().signal };
      const answer = outputs[step]?.(undefined, call);
      const open = children.areAny ? 1 : 0;
      if (!many) return { open, succeeded: 1, failed: 0, cancelled: 0, end: answer as ChildEnd };
      const { total: _total, ...counts } = answer as ChildCounts;
      return { open, ...counts };
    },
    async cancel() {
      children.areAny = false;
      await children.wake();
    },
  };
}

function worldOf(input: object, children: ChildJobs, valueOf?: HostedJob['valueOf']): World {
  return {
    children,
    ledger: createMemoryLedger({ now: () => Date.now(), valueOf }),
    now: () => Date.now(),
    random: seededRandom(1),
    timer(ms, fire) {
      const timer = setTimeout(fire, ms);
      return () => clearTimeout(timer);
    },
    loadInput: async () => input,
    classify: (error) => error,
    observe: () => undefined,
  };
}
