/** From an operator's request to the saga that goes on: API, outbox, relay, workflow and ledger, all real. */
import { fileURLToPath } from 'node:url';
import {
  bundleWorkflowCode,
  DefaultLogger,
  Runtime,
  Worker,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import { Registry } from 'prom-client';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeadLetter, DecisionRequest } from '../../../libs/client/dead-letter.types.js';
import { createClient, type Client } from '../../../libs/client/client.js';
import { DECISION_LIMITS, dispatchDecisions } from '../../../libs/outbox/decisions.dispatcher.js';
import { DISPATCH_LIMITS, type Dispatcher } from '../../../libs/outbox/dispatcher.js';
import { measureParks } from '../../../libs/outbox/outbox.store.js';
import { LOOP_PACE, startRelayLoop, type RelayLoop } from '../../../libs/outbox/relay.loop.js';
import { createRelayMetrics } from '../../../libs/outbox/relay.metrics.js';
import { createWorld } from '../../../apps/worker/world.js';
import { Denied } from '../../../libs/saga/failure.js';
import { taskQueueOf } from '../../../libs/saga/define.js';
import type { Implementation } from '../../../libs/saga/implement.js';
import { bindActivities, engineActivities } from '../../../libs/saga/temporal/activities.js';
import { WORKFLOW_TASK_QUEUE } from '../../../libs/saga/temporal/engine.js';
import { createTenantCipher } from '../../../libs/security/tenant-cipher.js';
import { openDatabase, type Database } from '../../../libs/store/database.js';
import { createLogger } from '../../../libs/telemetry/logger.js';
import {
  connectTemporal,
  connectTemporalForWorkers,
  type EngineClient,
} from '../../../libs/temporal/connection.js';
import { failureConverterPath } from '../../../libs/temporal/data-converter.js';
import { approvedNote } from '../../apps/api/kinds.js';
import { startTestApi, type TestApi } from '../../apps/api/support.js';
import { eventually } from '../../support/stack.js';
import { testTemporal } from '../../support/temporal.js';

const temporal = testTemporal();
const quiet = new DefaultLogger('ERROR', () => undefined);

let t: TestApi;
let operator: Client;
let client: Client;
let relay: Database;
let engine: EngineClient;
let dispatcher: Dispatcher;
let bundle: WorkflowBundleWithSourceMap;

/** Somebody else's mail service: what it was asked under which key, and whom it lets in. */
const provider = { refuses: new Set<string>(), sent: new Map<string, string>() };

beforeAll(async () => {
  Runtime.install({ logger: quiet });
  t = await startTestApi({ definitions: [approvedNote] });
  operator = createClient({ url: t.url, key: t.operatorKey });
  client = createClient({ url: t.url, key: t.acme.key });
  relay = openDatabase(t.settings.databaseUrl.relay, 'relay', { max: 6 });
  const cipher = createTenantCipher(relay, t.settings.masterKey);
  engine = connectTemporal(
    { temporal: { ...t.settings.temporal, ...temporal } },
    { cipher, database: relay },
    { attemptsMax: 1 },
  );
  dispatcher = {
    ...{ database: relay, engine, logger: createLogger('relay', 'silent') },
    definitionOf: (kind) => (kind === approvedNote.kind ? approvedNote : undefined),
    metrics: createRelayMetrics(new Registry()),
    limits: DISPATCH_LIMITS,
  };
  bundle = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../../apps/api/approved.workflows.ts', import.meta.url)),
    failureConverterPath,
    logger: quiet,
  });
}, 60_000);

afterAll(async () => {
  await engine.close();
  await relay.end();
  await t.close();
});

const implementation: Implementation<typeof approvedNote> = {
  steps: {
    draft: async () => undefined,
    send: async ({ to }, { key }) => {
      if (provider.refuses.has(to)) throw new Denied('denied', `No mail for ${to}`);
      provider.sent.set(key, to);
      return { messageId: key, copies: 1 };
    },
    tidy: async () => undefined,
  },
  undos: { shred: async () => 'undone' },
  probes: {},
};

async function startWorker(): Promise<() => Promise<void>> {
  const cipher = createTenantCipher(t.worker, t.settings.masterKey);
  const host = await connectTemporalForWorkers(
    { temporal: { ...t.settings.temporal, ...temporal } },
    { cipher, database: t.worker },
  );
  const definitions = [approvedNote];
  const world = createWorld({ database: t.worker, cipher, definitions, observe: () => undefined });
  const { connection, namespace, dataConverter } = host;
  const options = { connection, namespace, dataConverter, shutdownGraceTime: 0 };
  const workers = await Promise.all([
    Worker.create({
      ...options,
      taskQueue: WORKFLOW_TASK_QUEUE,
      workflowBundle: bundle,
      stickyQueueScheduleToStartTimeout: '1s',
      activities: { ...engineActivities(definitions, world) },
    }),
    Worker.create({
      ...options,
      taskQueue: taskQueueOf(approvedNote.queue, 'io'),
      activities: { ...bindActivities(approvedNote, implementation, world) },
    }),
  ]);
  const running = Promise.all(workers.map((worker) => worker.run()));
  return async () => {
    for (const worker of workers) worker.shutdown();
    await running;
    await connection.close();
  };
}

function startRelay(): () => Promise<void> {
  const work = { dispatch: dispatchDecisions, showsHealth: false };
  const pace = { ...LOOP_PACE, idleMs: 200 };
  const loops: RelayLoop[] = [
    startRelayLoop(dispatcher, pace),
    startRelayLoop({ ...dispatcher, limits: DECISION_LIMITS }, pace, work),
  ];
  return async () => void (await Promise.all(loops.map((loop) => loop.stop())));
}

const submit = async (): Promise<string> => (await client.submit(approvedNote.kind, { text: 'hi' })).job.id;

/** The open park of the job at this step. */
function parkedAt(jobId: string, step: string): Promise<DeadLetter> {
  return eventually(`job ${jobId} to park at ${step}`, async () => {
    for await (const letter of operator.deadLetters.list({ status: 'open', step }))
      if (letter.jobId === jobId) return letter;
    return undefined;
  });
}

const decide = (letter: DeadLetter, decision: Partial<DecisionRequest> & Pick<DecisionRequest, 'decision'>) =>
  operator.deadLetters.decide(letter.id, { park: letter.park, reason: 'a test', ...decision });
const decisionOf = async (letter: DeadLetter) => (await operator.deadLetters.get(letter.id)).decision;
const ended = (jobId: string) =>
  eventually(`job ${jobId} to end`, async () => {
    const job = await client.get(jobId);
    return job.finishedAt !== null && job;
  });
const outboxOf = async (jobId: string, message: string) =>
  (
    await relay.query<{ attempts: number; sent: boolean; last_error: string | null }>(
      'select attempts, last_error, dispatched_at is not null as sent from longhaul.outbox where job_id = $1 and message = $2 order by id',
      [jobId, message],
    )
  ).rows;

describe('with relay and worker up', () => {
  let stops: (() => Promise<void>)[];
  beforeAll(async () => {
    stops = [startRelay(), await startWorker()];
  });
  afterAll(async () => {
    for (const stop of stops) await stop();
  });

  it('a saga goes on from each park as it was decided, to its end', async () => {
    const id = await submit();
    const approval = await parkedAt(id, 'approve');
    expect(await measureParks(relay)).toMatchObject({ open: 1, oldestAgeMs: expect.any(Number) as number });
    expect(approval).toMatchObject({
      stepKind: 'decision',
      possible: ['resolve', 'compensate'],
      lastError: null,
    });
    provider.refuses.add('everyone');
    await decide(approval, { decision: 'resolve', output: { approved: true } });
    const denied = await parkedAt(id, 'send');
    expect(denied).toMatchObject({ park: 2, lastError: { code: 'denied' }, correctable: true });
    expect(await decisionOf(approval)).toMatchObject({ outcome: 'taken' });
    await decide(denied, { decision: 'retry', input: { to: 'friends' } });
    expect(await ended(id)).toMatchObject({ status: 'SUCCEEDED' });
    expect(await measureParks(relay)).toEqual({ open: 0, oldestAgeMs: undefined });
    expect([...provider.sent].filter(([key]) => key.startsWith(id))).toEqual([[`${id}/send/1`, 'friends']]);
    provider.refuses.clear();
  });

  it('a decision against it undoes what was done', async () => {
    const id = await submit();
    await decide(await parkedAt(id, 'approve'), { decision: 'compensate' });
    const job = await ended(id);
    expect(job).toMatchObject({ status: 'FAILED', compensated: 'all', error: { code: 'decided_against' } });
    expect(job.steps.find(({ name }) => name === 'draft')).toMatchObject({ status: 'undone' });
  });

  it('what was done outside is gone on from: nothing is called', async () => {
    const id = await submit();
    provider.refuses.add('everyone');
    await decide(await parkedAt(id, 'approve'), { decision: 'resolve', output: { approved: true } });
    await decide(await parkedAt(id, 'send'), { decision: 'resolve', output: { messageId: 'by-hand' } });
    provider.refuses.clear();
    expect(await ended(id)).toMatchObject({ status: 'SUCCEEDED' });
    expect([...provider.sent.keys()].filter((key) => key.startsWith(id))).toEqual([]);
  });

  it('one that its saga refuses is on record as refused, with the reason', async () => {
    const id = await submit();
    const letter = await parkedAt(id, 'approve');
    const decisionId = uuidv7();
    await relay.query(
      `insert into longhaul.decisions (id, job_id, tenant_id, park, decision, reason, decided_by)
       values ($1, $2, $3, 99, 'retry', 'a test', 'nobody')`,
      [decisionId, id, t.acme.id],
    );
    await relay.query(
      `insert into longhaul.outbox (job_id, tenant_id, message, decision_id) values ($1, $2, 'decide', $3)`,
      [id, t.acme.id, decisionId],
    );
    const refused = await eventually('the refusal', async () => {
      const { rows } = await relay.query<{ outcome: string; refusal: string }>(
        'select outcome, refusal from longhaul.decisions where id = $1',
        [decisionId],
      );
      return rows[0]?.outcome !== 'pending' && rows[0];
    });
    expect(refused).toEqual({ outcome: 'refused', refusal: 'Park 99 is not open; park 1 is open.' });
    expect((await outboxOf(id, 'decide')).at(-1)).toMatchObject({ sent: true });
    await decide(letter, { decision: 'compensate' });
    await ended(id);
  });

  it('one sent again, because a relay died before it marked it, is the same one', async () => {
    const id = await submit();
    const approval = await parkedAt(id, 'approve');
    provider.refuses.add('everyone');
    await decide(approval, { decision: 'resolve', output: { approved: true } });
    const denied = await parkedAt(id, 'send');
    await relay.query(`update longhaul.decisions set outcome = 'pending', refusal = null where job_id = $1`, [
      id,
    ]);
    await relay.query(
      `update longhaul.outbox set dispatched_at = null, due_at = now() where job_id = $1 and message = 'decide'`,
      [id],
    );
    await eventually('it to be sent again', async () =>
      (await outboxOf(id, 'decide')).every(({ sent }) => sent),
    );
    expect(await decisionOf(approval)).toMatchObject({ outcome: 'pending' });
    expect(await operator.deadLetters.get(denied.id)).toMatchObject({ status: 'open', decision: null });
    provider.refuses.clear();
    await decide(denied, { decision: 'retry' });
    expect(await ended(id)).toMatchObject({ status: 'SUCCEEDED' });
  });

  it('one for a workflow that was terminated by hand is refused', async () => {
    const id = await submit();
    const letter = await parkedAt(id, 'approve');
    await engine.client.workflow.getHandle(id).terminate('by hand');
    await decide(letter, { decision: 'resolve', output: { approved: true } });
    await eventually('the refusal', async () => (await decisionOf(letter))?.outcome === 'refused');
    expect(await decisionOf(letter)).toMatchObject({ refusal: 'No workflow runs the job.' });
  });
});

it('a decision waits for a relay and a worker, holds nobody else up, and arrives when both are back', async () => {
  const [stopRelay, stopWorker] = [startRelay(), await startWorker()];
  const id = await submit();
  const letter = await parkedAt(id, 'approve');
  await Promise.all([stopRelay(), stopWorker()]);

  expect((await decide(letter, { decision: 'resolve', output: { approved: true } })).phase).toBe('parked');
  expect(await outboxOf(id, 'decide')).toMatchObject([{ attempts: 0, sent: false }]);

  const stopSecondRelay = startRelay();
  await eventually(
    'a try without a worker',
    async () => ((await outboxOf(id, 'decide'))[0]?.attempts ?? 0) > 0,
  );
  const bystander = await submit();
  const askedAt = Date.now();
  await eventually('the start of another job', async () => (await outboxOf(bystander, 'start'))[0]?.sent);
  expect(Date.now() - askedAt).toBeLessThan(DECISION_LIMITS.callTimeoutMs);
  expect(await decisionOf(letter)).toMatchObject({ outcome: 'pending' });

  const stopSecondWorker = await startWorker();
  expect(await ended(id)).toMatchObject({ status: 'SUCCEEDED' });
  expect(await decisionOf(letter)).toMatchObject({ outcome: 'taken' });
  await decide(await parkedAt(bystander, 'approve'), { decision: 'compensate' });
  await ended(bystander);
  await Promise.all([stopSecondRelay(), stopSecondWorker()]);
}, 60_000);
