import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dispatchBatch, type WorkflowStart } from '../../../libs/outbox/dispatcher.js';
import { measureOutbox } from '../../../libs/outbox/outbox.store.js';
import { destroyTenantKeys, ensureTenant } from '../../../libs/security/tenants.store.js';
import { inTransaction } from '../../../libs/store/database.js';
import { eventually } from '../../support/stack.js';
import { testTemporal } from '../../support/temporal.js';
import { setupRelay, valueOf, type RelaySetup } from './relay.setup.js';

let setup: RelaySetup;
beforeAll(async () => {
  setup = await setupRelay(testTemporal());
  await setup.startWorker();
});
afterAll(() => setup.close());

const SENT = { sent: true, attempts: 0, last_error: null };

async function statusOf(jobId: string): Promise<unknown> {
  const { rows } = await setup.jobs.relay.query(
    `select status, phase, dispatched_at is not null as dispatched, cancel_reason from longhaul.jobs where id = $1`,
    [jobId],
  );
  return rows[0];
}

async function requestCancel(jobId: string, reason: string | null): Promise<string> {
  const { rows } = await setup.jobs.app.query<{ answer: string }>(
    `select longhaul.request_cancel($1, $2, $3) as answer`,
    [setup.jobs.tenantId, jobId, reason],
  );
  return rows[0]?.answer ?? '';
}

async function workflowExists(jobId: string): Promise<boolean> {
  return setup.engine.client.workflow
    .getHandle(jobId)
    .describe()
    .then(
      () => true,
      (error: Error) => {
        expect(error.name).toBe('WorkflowNotFoundError');
        return false;
      },
    );
}

/** Sends until nothing is due. */
async function drain(dispatcher = setup.newDispatcher()): Promise<typeof dispatcher> {
  while ((await dispatchBatch(dispatcher)).claimed > 0);
  return dispatcher;
}

describe('accepting and sending', () => {
  it('starts the workflow of a job with ids alone, findable by tenant and kind', async () => {
    const [jobId = ''] = await setup.jobs.accept('test.relayed');
    await drain();
    const handle = setup.engine.client.workflow.getHandle(jobId);
    const started = (await handle.result()) as WorkflowStart;
    expect(started).toEqual({
      jobId,
      tenantId: setup.jobs.tenantId,
      kind: 'test.relayed',
      deadlineAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
    });
    const { typedSearchAttributes, type, taskQueue, raw } = await handle.describe();
    expect(type).toBe('relayed');
    expect(taskQueue).toBe('workflows');
    expect(raw.workflowExecutionInfo?.priority?.fairnessKey).toBe(`${setup.jobs.tenantId}/tests`);
    expect(typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value])).toEqual(
      expect.arrayContaining([
        ['Tenant', setup.jobs.tenantId],
        ['Kind', 'test.relayed'],
      ]),
    );
    expect(await setup.outboxOf(jobId)).toEqual([{ message: 'start', ...SENT }]);
    expect(await statusOf(jobId)).toMatchObject({ status: 'PENDING', dispatched: true });
  });

  it('leaves nothing of an acceptance that is rolled back', async () => {
    let jobId = '';
    await expect(
      inTransaction(setup.jobs.app, async (connection) => {
        [jobId = ''] = await setup.jobs.acceptIn(connection, 'test.relayed');
        throw new Error('the caller changes its mind');
      }),
    ).rejects.toThrow('changes its mind');
    await drain();
    expect(await setup.outboxOf(jobId)).toEqual([]);
    expect(await statusOf(jobId)).toBeUndefined();
    expect(await workflowExists(jobId)).toBe(false);
  });

  it('delivers both of two racing transactions that commit out of order', async () => {
    const [first, second] = await Promise.all([setup.jobs.app.connect(), setup.jobs.app.connect()]);
    try {
      await first.query('begin');
      const [early = ''] = await setup.jobs.acceptIn(first, 'test.relayed'); // takes the lower id, commits last
      await second.query('begin');
      const [late = ''] = await setup.jobs.acceptIn(second, 'test.relayed');
      await second.query('commit');
      await drain();
      expect(await setup.outboxOf(late)).toEqual([{ message: 'start', ...SENT }]);
      expect(await setup.outboxOf(early)).toEqual([]);
      await first.query('commit');
      await drain();
      expect(await setup.outboxOf(early)).toEqual([{ message: 'start', ...SENT }]);
      expect(await workflowExists(early)).toBe(true);
    } finally {
      first.release();
      second.release();
    }
  });

  it('takes a start that was made before for done', async () => {
    const [jobId = ''] = await setup.jobs.accept('test.relayed');
    await drain();
    await setup.engine.client.workflow.getHandle(jobId).result();
    // As if the relay had died between start and commit.
    await setup.jobs.relay.query(`update longhaul.outbox set dispatched_at = null where job_id = $1`, [
      jobId,
    ]);
    const { registry } = await drain();
    expect(await valueOf(registry, 'longhaul_relay_dispatched_total', { outcome: 'already_started' })).toBe(
      1,
    );
    expect(await valueOf(registry, 'longhaul_relay_dispatched_total', { outcome: 'started' })).toBe(0);
    expect(await setup.outboxOf(jobId)).toEqual([{ message: 'start', ...SENT }]);
  });

  it('never starts a job that has ended', async () => {
    const [jobId = ''] = await setup.jobs.accept('test.relayed');
    await setup.jobs.relay.query(
      `update longhaul.jobs set status = 'FAILED', phase = 'done', ended_at = now() where id = $1`,
      [jobId],
    );
    await drain();
    expect(await setup.outboxOf(jobId)).toEqual([{ message: 'start', ...SENT }]);
    expect(await workflowExists(jobId)).toBe(false);
  });

  it('shares the work of two relays side by side, each job once', async () => {
    const jobIds = await setup.jobs.accept('test.relayed', 120);
    const relays = await Promise.all(
      [1, 2].map(async () => {
        const dispatcher = setup.newDispatcher({ batchSizeMax: 10 });
        let batches = 0;
        while ((await dispatchBatch(dispatcher)).claimed > 0) batches += 1;
        return {
          repeated: await valueOf(dispatcher.registry, 'longhaul_relay_dispatched_total', {
            outcome: 'already_started',
          }),
          started: await valueOf(dispatcher.registry, 'longhaul_relay_dispatched_total', {
            outcome: 'started',
          }),
          batches,
        };
      }),
    );
    expect(relays.map((relay) => relay.started).reduce((a, b) => a + b)).toBe(120);
    expect(relays.map((relay) => relay.repeated)).toEqual([0, 0]);
    expect(Math.min(...relays.map((relay) => relay.batches))).toBeGreaterThan(1);
    const { rows } = await setup.jobs.relay.query(
      `select 1 from longhaul.outbox where job_id = any($1) and dispatched_at is null`,
      [jobIds],
    );
    expect(rows).toEqual([]);
  });

  it('puts a row off that cannot be sent, with the reason, and sends the others', async () => {
    const [poisoned = ''] = await setup.jobs.accept('test.unknown');
    const [healthy = ''] = await setup.jobs.accept('test.relayed');
    const { registry } = await drain();
    expect(await setup.outboxOf(healthy)).toEqual([{ message: 'start', ...SENT }]);
    const [row] = await setup.outboxOf(poisoned);
    expect(row).toMatchObject({ sent: false, attempts: 1 });
    expect(row?.last_error).toContain('test.unknown');
    expect(await valueOf(registry, 'longhaul_relay_failures_total', { class: 'unknown_kind' })).toBe(1);
    expect(await measureOutbox(setup.jobs.relay)).toMatchObject({ unsent: 1, failing: 1 });
    await setup.jobs.relay.query(`update longhaul.outbox set dispatched_at = now() where job_id = $1`, [
      poisoned,
    ]);
  });

  it('sends nothing of a tenant whose key is destroyed, and goes on with the others', async () => {
    const doomed = await ensureTenant(setup.jobs.owner, 'doomed', setup.jobs.masterKey);
    const [jobId = ''] = await setup.jobs.accept('test.relayed');
    const [mine = ''] = await setup.jobs.accept('test.relayed');
    // The job becomes the other tenant's: the test's accept works for one tenant.
    await setup.jobs.owner.query(`update longhaul.jobs set tenant_id = $2 where id = $1`, [jobId, doomed]);
    await setup.jobs.owner.query(`update longhaul.outbox set tenant_id = $2 where job_id = $1`, [
      jobId,
      doomed,
    ]);
    await destroyTenantKeys(setup.jobs.owner, doomed);
    await drain();
    expect(await setup.outboxOf(mine)).toEqual([{ message: 'start', ...SENT }]);
    const [row] = await setup.outboxOf(jobId);
    expect(row).toMatchObject({ sent: false, attempts: 1 });
    expect(row?.last_error).toContain('destroyed');
    expect(await workflowExists(jobId)).toBe(false);
    await setup.jobs.relay.query(`update longhaul.outbox set dispatched_at = now() where job_id = $1`, [
      jobId,
    ]);
  });
});

describe('a cancel', () => {
  it('before dispatch ends the job at once, and no workflow starts', async () => {
    const [jobId = ''] = await setup.jobs.accept('test.waiting');
    expect(await requestCancel(jobId, 'not wanted any more')).toBe('cancelled');
    await drain();
    expect(await statusOf(jobId)).toMatchObject({ status: 'CANCELLED', phase: 'done' });
    expect(await workflowExists(jobId)).toBe(false);
  });

  it('after dispatch reaches the workflow with its reason, cut to what history may hold', async () => {
    const [jobId = ''] = await setup.jobs.accept('test.waiting');
    await drain();
    expect(await requestCancel(jobId, 'r'.repeat(300))).toBe('requested');
    expect(await requestCancel(jobId, 'again')).toBe('requested');
    const { registry } = await drain();
    expect(
      await valueOf(registry, 'longhaul_relay_dispatched_total', { message: 'cancel', outcome: 'signalled' }),
    ).toBe(1);
    expect(await setup.engine.client.workflow.getHandle(jobId).result()).toBe('r'.repeat(200));
    expect(await setup.outboxOf(jobId)).toEqual([
      { message: 'start', ...SENT },
      { message: 'cancel', ...SENT },
    ]);
  });

  it('that came while the start was locked, and overtook it, ends the job without the engine', async () => {
    const [jobId = ''] = await setup.jobs.accept('test.waiting');
    await inTransaction(setup.jobs.relay, async (connection) => {
      // A relay holds the start row this moment, so the cancel goes to the outbox; then that relay dies.
      await connection.query(`select 1 from longhaul.outbox where job_id = $1 for update`, [jobId]);
      expect(await requestCancel(jobId, 'overtaken')).toBe('requested');
    });
    await setup.jobs.relay.query(
      `update longhaul.outbox set due_at = now() + interval '1 hour' where job_id = $1 and message = 'start'`,
      [jobId],
    );
    const { registry } = await drain();
    expect(await valueOf(registry, 'longhaul_relay_dispatched_total', { outcome: 'cancelled_unsent' })).toBe(
      1,
    );
    expect(await statusOf(jobId)).toMatchObject({
      status: 'CANCELLED',
      phase: 'done',
      cancel_reason: 'overtaken',
    });
    expect(await setup.outboxOf(jobId)).toMatchObject([{ sent: true }, { sent: true }]);
    expect(await workflowExists(jobId)).toBe(false);
  });

  it('in one batch with its start is sent after it', async () => {
    const [jobId = ''] = await setup.jobs.accept('test.waiting');
    await inTransaction(setup.jobs.relay, async (connection) => {
      await connection.query(`select 1 from longhaul.outbox where job_id = $1 for update`, [jobId]);
      expect(await requestCancel(jobId, 'both')).toBe('requested');
    });
    const { registry } = await drain();
    expect(await valueOf(registry, 'longhaul_relay_dispatched_total', { outcome: 'started' })).toBe(1);
    expect(await setup.engine.client.workflow.getHandle(jobId).result()).toBe('both');
  });

  it('of a job that has ended meanwhile is done with', async () => {
    const [jobId = ''] = await setup.jobs.accept('test.relayed');
    await drain();
    await setup.engine.client.workflow.getHandle(jobId).result();
    expect(await requestCancel(jobId, null)).toBe('requested');
    // Its workflow is closed but its end not recorded yet: the row waits.
    await drain();
    expect(await setup.outboxOf(jobId)).toMatchObject([{ sent: true }, { sent: false, attempts: 1 }]);
    await setup.jobs.relay.query(
      `update longhaul.jobs set status = 'SUCCEEDED', phase = 'done', ended_at = now() where id = $1`,
      [jobId],
    );
    await setup.jobs.relay.query(`update longhaul.outbox set due_at = now() where job_id = $1`, [jobId]);
    await drain();
    expect(await setup.outboxOf(jobId)).toMatchObject([{ sent: true }, { sent: true }]);
  });
});

describe('a wake-up', () => {
  it('reaches the workflow, and is done with where the job has ended', async () => {
    const [waiting = '', ended = ''] = await setup.jobs.accept('test.waiting', 2);
    await drain();
    await setup.jobs.relay.query(
      `update longhaul.jobs set status = 'SUCCEEDED', phase = 'done', ended_at = now() where id = $1`,
      [ended],
    );
    await setup.jobs.relay.query(
      `insert into longhaul.outbox (job_id, tenant_id, message) select id, tenant_id, 'wake' from longhaul.jobs where id = any($1)`,
      [[waiting, ended]],
    );
    const { registry } = await drain();
    const count = (outcome: string): Promise<number> =>
      valueOf(registry, 'longhaul_relay_dispatched_total', { message: 'wake', outcome });
    expect([await count('signalled'), await count('ended')]).toEqual([1, 1]);
    // One that comes during a workflow task is seen in the history after it.
    const signals = await eventually('the signal in the history', async () => {
      const { events } = await setup.engine.client.workflow.getHandle(waiting).fetchHistory();
      const names = (events ?? []).flatMap(
        (event) => event.workflowExecutionSignaledEventAttributes?.signalName ?? [],
      );
      return names.length > 0 && names;
    });
    expect(signals).toEqual(['wake']);
    await requestCancel(waiting, 'over');
    await drain();
  });
});

describe('the oldest unsent row', () => {
  it('is measured by its age, also while nobody can measure, and is 0 when all is sent', async () => {
    const [jobId = ''] = await setup.jobs.accept('test.relayed');
    await setup.jobs.relay.query(
      `update longhaul.outbox set created_at = now() - interval '90 seconds' where job_id = $1`,
      [jobId],
    );
    const dispatcher = setup.newDispatcher();
    const age = (): Promise<number> =>
      valueOf(dispatcher.registry, 'longhaul_outbox_oldest_unsent_age_seconds');
    dispatcher.metrics.observeOutbox(await measureOutbox(setup.jobs.relay));
    const before = await age();
    expect(before).toBeGreaterThanOrEqual(90);
    expect(before).toBeLessThan(150);
    expect(await age()).toBeGreaterThan(before);
    await drain();
    dispatcher.metrics.observeOutbox(await measureOutbox(setup.jobs.relay));
    expect(await age()).toBe(0);
  });
});
