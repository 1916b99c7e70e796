/** Schedules from the API to the engine's own and back: what is due becomes a job, by the workflow and activities of a worker. */
import { fileURLToPath } from 'node:url';
import type { ScheduleHandle } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createEngine } from '../../../apps/api/engine/engine.js';
import type { Schedule } from '../../../apps/api/schedules/schedule.schema.js';
import { DISPATCH_LIMITS, dispatchBatch, type Dispatcher } from '../../../libs/outbox/dispatcher.js';
import { createRelayMetrics } from '../../../libs/outbox/relay.metrics.js';
import { WORKFLOW_TASK_QUEUE } from '../../../libs/saga/temporal/engine.js';
import { createKeepForm } from '../../../libs/emails/kept-form.js';
import { createRunAcceptance, type RunAcceptanceParts } from '../../../libs/schedules/run-acceptance.js';
import { ACCEPT_RUN_ACTIVITY } from '../../../libs/schedules/scheduled-run.js';
import { dispatchSchedules, reconcileSchedules } from '../../../libs/schedules/schedule-sync.js';
import { createTenantCipher } from '../../../libs/security/tenant-cipher.js';
import { openDatabase, type Database } from '../../../libs/store/database.js';
import { createLogger } from '../../../libs/telemetry/logger.js';
import { connectTemporal, type EngineClient } from '../../../libs/temporal/connection.js';
import { createDataConverter, failureConverterPath } from '../../../libs/temporal/data-converter.js';
import { webhookCallback } from '../../../workflows/webhook-callback.job.js';
import { eventually } from '../../support/stack.js';
import { testTemporal } from '../../support/temporal.js';
import { notes, plainNote } from './kinds.js';
import { FakeWorker, startTestApi, type TestApi } from './support.js';

let t: TestApi;
let relay: Database;
let engine: EngineClient;
let dispatcher: Dispatcher;
const closers: (() => Promise<void>)[] = [];

beforeAll(async () => {
  const temporal = testTemporal();
  t = await startTestApi();
  relay = openDatabase(t.settings.databaseUrl.relay, 'relay', { max: 4 });
  engine = connectTemporal(
    { temporal },
    { cipher: createTenantCipher(relay, t.settings.masterKey), database: relay },
    { attemptsMax: 1 },
  );
  t.engine.nextRuns = (id) => createEngine(engine).nextRuns(id);
  dispatcher = {
    database: relay,
    engine,
    // Their starts stay where they are: what becomes of a job is the test's to say.
    definitionOf: () => undefined,
    logger: createLogger('relay', 'silent'),
    metrics: createRelayMetrics(new Registry()),
    limits: DISPATCH_LIMITS,
  };
  closers.push(await startWorker(temporal));
});
afterAll(async () => {
  for (const close of closers) await close();
  await engine.close();
  await relay.end();
  await t.close();
});

async function startWorker(temporal: { address: string; namespace: string }): Promise<() => Promise<void>> {
  const workflowsPath = fileURLToPath(new URL('../../../workflows/scheduled-run.ts', import.meta.url));
  const logger = new DefaultLogger('ERROR', () => undefined);
  Runtime.install({ logger });
  const workflowBundle = await bundleWorkflowCode({ workflowsPath, failureConverterPath, logger });
  const connection = await NativeConnection.connect({ address: temporal.address });
  const { dataConverter } = createDataConverter({ cipher: t.cipher, database: t.worker });
  const worker = await Worker.create({
    connection,
    namespace: temporal.namespace,
    taskQueue: WORKFLOW_TASK_QUEUE,
    workflowBundle,
    dataConverter,
    activities: {
      ...createRunAcceptance(runParts()),
    },
  });
  const running = worker.run();
  return async () => {
    worker.shutdown();
    await running;
    await connection.close();
  };
}

function runParts(): RunAcceptanceParts {
  return {
    database: t.worker,
    cipher: t.cipher,
    definitions: [notes, plainNote],
    keepForm: createKeepForm(undefined),
    callbackDeadlineMs: webhookCallback.deadlineMs,
  };
}

const YEARLY = '0 0 1 1 *';
let serial = 0;

/** A schedule of this test alone. */
async function create(change: object = {}): Promise<Schedule> {
  serial += 1;
  const input = { topic: `schedule ${serial} {{scheduledAt}}` };
  const answer = await t.call('POST', '/schedules', {
    json: { kind: 'note.write', input, cron: YEARLY, ...change },
  });
  expect(answer.status, answer.text).toBe(201);
  return answer.json as unknown as Schedule;
}

const read = async (id: string): Promise<Schedule> =>
  (await t.call('GET', `/schedules/${id}`)).json as unknown as Schedule;
const jobsOf = async (id: string) => (await t.call('GET', `/schedules/${id}/jobs`)).json.items;
const sync = async (id: string): Promise<ScheduleHandle> => {
  await dispatchSchedules(dispatcher);
  expect((await read(id)).inSync).toBe(true);
  return engine.client.schedule.getHandle(id);
};
/** The engine tells runs apart by the second. */
let triggeredAt = 0;
async function trigger(handle: ScheduleHandle): Promise<void> {
  const second = (): number => Math.floor(Date.now() / 1_000);
  await eventually('the next second', () => second() > triggeredAt);
  triggeredAt = second();
  // Under the policy the engine was told; by default a trigger overlaps with everything.
  await handle.trigger((await handle.describe()).policies.overlap);
}
const running = async (handle: ScheduleHandle): Promise<number> =>
  (await handle.describe()).info.runningActions.length;
const letRunsEnd = (handle: ScheduleHandle): Promise<unknown> =>
  eventually('the runs’ ends', async () => {
    await dispatchBatch(dispatcher);
    return (await running(handle)) === 0;
  });

describe('a schedule', () => {
  test('is the engine’s once it was told, runs there, and each run is a job like any other', async () => {
    const made = await create({ timeZone: 'Europe/Berlin', note: 'New Year' });
    expect(made).toMatchObject({
      inSync: false,
      nextRuns: null,
      overlap: 'skip',
      catchUpWindowSeconds: 3_600,
    });
    const handle = await sync(made.id);
    const nextRuns = await eventually('the plan', async () => (await read(made.id)).nextRuns ?? undefined);
    // Midnight in Berlin.
    expect(nextRuns[0]).toMatch(/-12-31T23:00:00.000Z$/);
    await trigger(handle);
    const [job] = await eventually('a job of the schedule', async () => {
      const jobs = await jobsOf(made.id);
      return jobs.length > 0 && jobs;
    });
    expect(job).toMatchObject({ kind: 'note.write', status: 'PENDING', schedule: made.id });
    const { scheduledAt, key } = job as unknown as { scheduledAt: string; key: string };
    expect(key).toContain(scheduledAt);

    await trigger(handle);
    await eventually(
      'a run that is skipped',
      async () => (await handle.describe()).info.numActionsSkippedOverlap === 1,
    );
    expect(await jobsOf(made.id)).toHaveLength(1);

    await new FakeWorker(t, t.acme).succeed(job!.id, null);
    await letRunsEnd(handle);
    await trigger(handle);
    await eventually('the next job', async () => (await jobsOf(made.id)).length === 2);
  });

  test('with cancelOther cancels the run that goes on, and the next begins when that has ended', async () => {
    const made = await create({ overlap: 'cancelOther' });
    const handle = await sync(made.id);
    await trigger(handle);
    const [first] = await eventually('a job of the schedule', async () => {
      const jobs = await jobsOf(made.id);
      return jobs.length > 0 && jobs;
    });
    await trigger(handle);
    await eventually('the next job', async () => {
      await dispatchBatch(dispatcher);
      return (await jobsOf(made.id)).length === 2;
    });
    expect((await t.call('GET', `/jobs/${first!.id}`)).json.status).toBe('CANCELLED');
  });

  test('that is paused or deleted makes no job, even where the engine has not heard of it', async () => {
    const made = await create();
    const handle = await sync(made.id);
    const paused = await t.call('PATCH', `/schedules/${made.id}`, { json: { paused: true } });
    expect(paused.json).toMatchObject({ paused: true, inSync: false });
    await trigger(handle);
    await eventually('a run', async () => (await handle.describe()).info.recentActions.length === 1);
    await letRunsEnd(handle);
    expect(await jobsOf(made.id)).toEqual([]);
    await sync(made.id);
    expect((await handle.describe()).state.paused).toBe(true);
    expect((await t.call('DELETE', `/schedules/${made.id}`)).status).toBe(204);
    expect((await t.call('GET', `/schedules/${made.id}`)).json.code).toBe('schedule_not_found');
    await dispatchSchedules(dispatcher);
    await expect(handle.describe()).rejects.toThrow(/not found/i);
  });

  test('that was paused or deleted by hand in the engine is mended from the row', async () => {
    const made = await create();
    const handle = await sync(made.id);
    await handle.pause();
    await eventually('the mending', async () => {
      await reconcileSchedules(relay, engine, 0);
      await dispatchSchedules(dispatcher);
      return !(await handle.describe()).state.paused;
    });
    await handle.delete();
    await eventually('the mending', async () => {
      await reconcileSchedules(relay, engine, 0);
      await dispatchSchedules(dispatcher);
      return handle.describe().then(
        () => true,
        () => false,
      );
    });
  });

  test('that cannot make a job any more says why', async () => {
    const made = await create({ input: { topic: 'taken {{month}}' } });
    const handle = await sync(made.id);
    const month = new Date().toISOString().slice(0, 7);
    await t.call('POST', '/jobs', {
      json: { kind: 'note.write', input: { topic: `taken ${month}`, text: 'by hand' } },
    });
    await trigger(handle);
    const { lastError } = await eventually('the reason', async () => {
      const schedule = await read(made.id);
      return schedule.lastError !== null && schedule;
    });
    expect(lastError).toMatchObject({ code: 'natural_key_conflict' });
  });

  test('whose input does not fit a new release makes no job, and says in words what does not fit', async () => {
    const made = await create();
    const changed = { ...notes, input: z.strictObject({ subject: z.string() }) } as unknown as typeof notes;
    const runs = createRunAcceptance({ ...runParts(), definitions: [changed] });
    const run = { scheduleId: made.id, run: `${made.id}/run`, scheduledAt: '2031-02-03T04:05:06.000Z' };
    expect(await runs[ACCEPT_RUN_ACTIVITY](run)).toBeNull();
    expect(await jobsOf(made.id)).toEqual([]);
    const { lastError } = await read(made.id);
    expect(lastError?.code).toBe('input_invalid');
    expect(lastError?.detail).toMatch(/expected string[^]*at subject/);
  });

  test('is run by hand at once, with the engine away, and once for one Idempotency-Key', async () => {
    const made = await create({ paused: true });
    const path = `/schedules/${made.id}/trigger`;
    const headers = { 'idempotency-key': `by-hand-${made.id}` };
    const first = await t.call('POST', path, { headers });
    expect(first.status).toBe(202);
    expect(first.json).toMatchObject({ schedule: made.id, status: 'PENDING' });
    const again = await t.call('POST', path, { headers });
    expect([again.status, again.json.id]).toEqual([202, first.json.id]);
    expect((await jobsOf(made.id)).map(({ id }) => id)).toEqual([first.json.id]);
  });

  test('takes a kind without a natural key of its own as it is', async () => {
    const made = await create({ kind: 'note.plain', input: plainNote.example });
    const job = (await t.call('POST', `/schedules/${made.id}/trigger`)).json;
    expect(job.key).toContain(made.id);
  });

  test('is changed in what is named, listed, and another tenant’s to nobody', async () => {
    const made = await create({ callback: { url: 'https://example.com/done' } });
    const path = `/schedules/${made.id}`;
    const changed = await t.call('PATCH', path, { json: { cron: '0 6 * * MON-FRI', callback: null } });
    expect(changed.json).toMatchObject({
      cron: '0 6 * * MON-FRI',
      callback: null,
      input: made.input,
      timeZone: 'UTC',
    });
    const listed = await t.call('GET', '/schedules?limit=1');
    expect(listed.json.items.map(({ id }) => id)).toEqual([made.id]);
    for (const [method, tail] of [
      ['GET', ''],
      ['DELETE', ''],
      ['GET', '/jobs'],
      ['POST', '/trigger'],
    ] as const) {
      const answer = await t.call(method, `${path}${tail}`, { key: t.rival.key });
      expect([answer.status, answer.json.code]).toEqual([404, 'schedule_not_found']);
    }
  });

  test.each([
    [{ cron: '* * *' }, '/cron', /five fields/],
    [{ cron: '0 25 * * *' }, '/cron', /hour/i],
    [{ cron: '0 0 30 2 *' }, '/cron', /never run/],
    [{ cron: '0 0 1 * MON' }, '/cron', /day of the month and a day of the week/],
    [{ cron: '0 0 L * *' }, '/cron', /"L" has more/],
    [{ timeZone: 'Mars/Olympus' }, '/timeZone', /IANA/],
    [{ timeZone: '+01:00' }, '/timeZone', /IANA/],
    [{ overlap: 'terminate' }, '/overlap', /"skip"/],
    [{ catchUpWindowSeconds: 1 }, '/catchUpWindowSeconds', />=10/],
    [{ input: { topic: 'always' } }, '/input', /every run would be the same job/],
    [{ input: { topic: '{{now}}' } }, '/input/topic', /no placeholder \{\{now\}\}/],
    [{ input: { topic: 7 } }, '/input/topic', /string/],
    [{ kind: 'note.burn' }, '/kind', /no such kind/],
    [{ callback: { url: 'https://10.0.0.1/' } }, '/callback/url', /private/],
  ])('%o is refused with the place and the reason', async (change, pointer, reason) => {
    const json = { kind: 'note.write', input: { topic: '{{date}}' }, cron: YEARLY, ...change };
    const answer = await t.call('POST', '/schedules', { json });
    expect(answer.status).toBe(422);
    expect(answer.json.errors).toHaveLength(1);
    expect(answer.json.errors[0]).toMatchObject({ pointer, detail: expect.stringMatching(reason) as string });
  });
});
