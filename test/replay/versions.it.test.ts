/** docs/changing-a-kind.md, tried: two versions of a kind's code and jobs that are open meanwhile, on one server. */
import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { versioningOptions } from '../../apps/worker/hosts.js';
import { WORKFLOW_TASK_QUEUE } from '../../libs/saga/temporal/engine.js';
import { order } from '../conformance/kinds.js';
import { eventually } from '../support/stack.js';
import { testTemporal } from '../support/temporal.js';
import { auditedOrder } from './audited-order.job.js';
import { createHostedJobs } from './hosted-jobs.js';
import type { RecordedKind } from './recorded-kinds.js';
import { bundleWorkflows, quietRuntime } from './replayer.js';

const SETUP_TIMEOUT_MS = 90_000;
const DEPLOYMENT = 'longhaul-test';
const { TASK_QUEUE_TYPE_WORKFLOW: OF_WORKFLOWS, TASK_QUEUE_TYPE_ACTIVITY: OF_ACTIVITIES } =
  proto.temporal.api.enums.v1.TaskQueueType;
const PINNED_BEHAVIOR =
  proto.temporal.api.workflow.v1.VersioningOverride.PinnedOverrideBehavior.PINNED_OVERRIDE_BEHAVIOR_PINNED;

const kind: RecordedKind = {
  definition: auditedOrder,
  outputsFor: () => ({
    audit: () => null,
    check: () => ({ count: 2 }),
    reserve: () => ({ id: 'reserved' }),
    pack: () => ({ id: 'packed' }),
    charge: () => ({ id: 'charged' }),
  }),
  shapes: [],
  isSealed: false,
};

const bundles = new Map<string, ReturnType<typeof bundleWorkflows>>();
function bundleOf(file: string): ReturnType<typeof bundleWorkflows> {
  const bundle = bundles.get(file) ?? bundleWorkflows(file);
  bundles.set(file, bundle);
  return bundle;
}

const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  quietRuntime();
});
afterAll(async () => {
  for (const close of closing.reverse()) await close();
}, SETUP_TIMEOUT_MS);

interface Hosted {
  readonly namespace: string;
  readonly client: Client;
  /** Runs a worker; what it answers ends it. */
  host(options: {
    readonly taskQueue: string;
    readonly workflows?: string;
    readonly buildId?: string;
    readonly identity: string;
  }): Promise<() => Promise<void>>;
  /** A job whose `charge` waits for `release`. */
  start(): Promise<Job>;
}

interface Job {
  readonly id: string;
  release(): void;
  /** Resolves when `charge` runs. */
  readonly charging: Promise<void>;
  ended(): Promise<unknown>;
  /** Its activities in the order they were scheduled, and who ran each. */
  activities(): Promise<readonly (readonly [activity: string, worker: string])[]>;
}

/** A namespace of its own. */
async function setup(): Promise<Hosted> {
  const { address, namespace } = testTemporal();
  const connection = await Connection.connect({ address });
  const native = await NativeConnection.connect({ address });
  closing.push(
    () => connection.close(),
    () => native.close(),
  );
  const client = new Client({ connection, namespace });
  const jobs = createHostedJobs([kind]);

  return {
    namespace,
    client,
    async host({ taskQueue, workflows, buildId, identity }) {
      const version = buildId === undefined ? undefined : { deploymentName: DEPLOYMENT, buildId };
      const worker = await Worker.create({
        connection: native,
        namespace,
        taskQueue,
        identity,
        activities: jobs.activities,
        ...versioningOptions({ version }),
        ...(workflows === undefined ? {} : { workflowBundle: await bundleOf(workflows) }),
      });
      const running = worker.run();
      const end = async (): Promise<void> => {
        if (worker.getState() === 'RUNNING') worker.shutdown();
        await running;
      };
      closing.push(end);
      return end;
    },
    async start() {
      const jobId = randomUUID();
      const charging = Promise.withResolvers<void>();
      const released = Promise.withResolvers<void>();
      const charge = async (): Promise<void> => {
        charging.resolve();
        await released.promise;
      };
      await jobs.start(client, { kind, jobId, scripts: { before: { charge } } });
      const handle = client.workflow.getHandle(jobId);
      return {
        id: jobId,
        release: () => released.resolve(),
        charging: charging.promise,
        ended: () => handle.result(),
        async activities() {
          const { events } = await handle.fetchHistory();
          const started = new Map(
            events?.map(({ activityTaskStartedEventAttributes: event }) => [
              String(event?.scheduledEventId),
              event?.identity ?? '',
            ]),
          );
          return (events ?? []).flatMap(({ eventId, activityTaskScheduledEventAttributes: event }) =>
            event ? [[event.activityType?.name ?? '', started.get(String(eventId)) ?? ''] as const] : [],
          );
        },
      };
    },
  };
}

/** Resolves when these queues know it: the call that makes it current returns before. */
async function makeCurrent(
  { client: { workflowService }, namespace }: Hosted,
  buildId: string,
  queues: readonly (readonly [queue: string, type: number])[] = [[WORKFLOW_TASK_QUEUE, OF_WORKFLOWS]],
): Promise<void> {
  const version = { deploymentName: DEPLOYMENT, buildId };
  await eventually(`version ${buildId} is known`, () =>
    workflowService.setWorkerDeploymentCurrentVersion({ namespace, ...version, identity: 'operator' }),
  );
  for (const [name, taskQueueType] of queues) {
    await eventually(`${name} goes by version ${buildId}`, async () => {
      const { versioningInfo } = await workflowService.describeTaskQueue({
        namespace,
        taskQueue: { name },
        taskQueueType,
      });
      return versioningInfo?.currentDeploymentVersion?.buildId === buildId;
    });
  }
}

const steps = (activities: readonly (readonly [string, string])[]): string[] =>
  activities.map(([activity]) => activity.replace('testOrder.', ''));
const BEFORE = ['check', 'reserve', 'pack', 'pack', 'charge', 'notify', 'saga.finish'];

describe('two versions side by side', () => {
  it('pinned: a job ends on the version it began on, a new one begins on the new', async () => {
    const hosted = await setup();
    const pool = (pool: string) => `${order.queue}-${pool}`;
    await hosted.host({ taskQueue: pool('cpu'), identity: 'cpu of any version' });
    const hostVersion = async (buildId: string, workflows: string): Promise<void> => {
      await hosted.host({
        taskQueue: WORKFLOW_TASK_QUEUE,
        workflows,
        buildId,
        identity: `workflows ${buildId}`,
      });
      await hosted.host({ taskQueue: pool('io'), buildId, identity: `io ${buildId}` });
      await makeCurrent(hosted, buildId, [
        [WORKFLOW_TASK_QUEUE, OF_WORKFLOWS],
        [WORKFLOW_TASK_QUEUE, OF_ACTIVITIES],
        [pool('io'), OF_ACTIVITIES],
      ]);
    };
    await hostVersion('1', 'previous.workflows.ts');
    const old = await hosted.start();
    await old.charging;

    await hostVersion('2', 'next.workflows.ts');
    const young = await hosted.start();
    await young.charging;
    old.release();
    young.release();
    expect(await old.ended()).toEqual(await young.ended());

    const ofOld = await old.activities();
    const ofYoung = await young.activities();
    expect(steps(ofOld)).toEqual(BEFORE);
    expect(steps(ofYoung)).toEqual(['audit', ...BEFORE]);
    // Activities, too, go to workers of the job's version, where it has any on their queue; else to those there are.
    const workers = (activities: typeof ofOld) => [...new Set(activities.map(([, worker]) => worker))].sort();
    expect(workers(ofOld)).toEqual(['cpu of any version', 'io 1', 'workflows 1']);
    expect(workers(ofYoung)).toEqual(['cpu of any version', 'io 2', 'workflows 2']);
  });

  it('switched on: a job of unversioned workers moves to the first version made current', async () => {
    const hosted = await setup();
    await hosted.host({ taskQueue: `${order.queue}-io`, identity: 'io' });
    await hosted.host({ taskQueue: `${order.queue}-cpu`, identity: 'cpu' });
    const workflows = { taskQueue: WORKFLOW_TASK_QUEUE, workflows: 'previous.workflows.ts' };
    await hosted.host({ ...workflows, identity: 'unversioned' });
    const old = await hosted.start();
    await old.charging;

    await hosted.host({ ...workflows, buildId: '1', identity: 'version 1' });
    await makeCurrent(hosted, '1');
    old.release();
    await old.ended();
    expect((await old.activities()).at(-1)).toEqual(['saga.finish', 'version 1']);
  });

  it('moved by hand: a job goes on with another version that fits it, on its old course', async () => {
    const hosted = await setup();
    await hosted.host({ taskQueue: `${order.queue}-io`, identity: 'io' });
    await hosted.host({ taskQueue: `${order.queue}-cpu`, identity: 'cpu' });
    const version = (buildId: string, workflows: string): Parameters<Hosted['host']>[0] => {
      return { taskQueue: WORKFLOW_TASK_QUEUE, workflows, buildId, identity: `version ${buildId}` };
    };
    const endFirst = await hosted.host(version('1', 'previous.workflows.ts'));
    await makeCurrent(hosted, '1');
    const old = await hosted.start();
    await old.charging;
    await hosted.host(version('2', 'patched.workflows.ts'));
    await makeCurrent(hosted, '2');

    await hosted.client.workflowService.updateWorkflowExecutionOptions({
      namespace: hosted.namespace,
      workflowExecution: { workflowId: old.id },
      workflowExecutionOptions: {
        versioningOverride: {
          pinned: {
            behavior: PINNED_BEHAVIOR,
            version: { deploymentName: DEPLOYMENT, buildId: '2' },
          },
        },
      },
      updateMask: { paths: ['versioning_override'] },
    });
    await endFirst();
    old.release();
    await old.ended();
    const ofOld = await old.activities();
    expect(ofOld.at(-1)).toEqual(['saga.finish', 'version 2']);
    expect(steps(ofOld)).toEqual(BEFORE);
  });

  it('patched: a job goes on with the new code, on its old course; a new one takes the new course', async () => {
    const hosted = await setup();
    await hosted.host({ taskQueue: `${order.queue}-io`, identity: 'io' });
    await hosted.host({ taskQueue: `${order.queue}-cpu`, identity: 'cpu' });
    const workflows = { taskQueue: WORKFLOW_TASK_QUEUE, identity: 'workflows' };
    const endPrevious = await hosted.host({ ...workflows, workflows: 'previous.workflows.ts' });
    const old = await hosted.start();
    await old.charging;
    await endPrevious();

    await hosted.host({ ...workflows, workflows: 'patched.workflows.ts', identity: 'patched workflows' });
    const young = await hosted.start();
    await young.charging;
    old.release();
    young.release();
    expect(await old.ended()).toEqual(await young.ended());

    const ofOld = await old.activities();
    expect(ofOld.at(-1)).toEqual(['saga.finish', 'patched workflows']);
    // Its last question came when it was no replay any more: without one answer a job it would have been audited.
    expect(steps(ofOld)).toEqual(BEFORE);
    expect(steps(await young.activities())).toEqual([...BEFORE.slice(0, -1), 'audit', 'saga.finish']);
  });
});
