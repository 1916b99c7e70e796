import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dispatchBatch, type Dispatcher } from '../../../libs/outbox/dispatcher.js';
import { reconcile, RECONCILE_LIMITS, type Reconciliation } from '../../../libs/outbox/reconciler.js';
import { sweepIdempotency, sweepOutbox } from '../../../libs/outbox/sweeper.js';
import { searchAttributesOf } from '../../../libs/temporal/search-attributes.js';
import { eventually } from '../../support/stack.js';
import { createOwnTemporal, type OwnTemporal } from './own-temporal.js';
import { setupRelay, valueOf, type RelaySetup } from './relay.setup.js';

// By default the server reports a workflow after five failed tasks, which takes it a minute.
const REPORT_AT_ONCE = 'system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute=1';

let temporal: OwnTemporal;
let setup: RelaySetup;
let dispatcher: ReturnType<RelaySetup['newDispatcher']>;
beforeAll(async () => {
  temporal = await createOwnTemporal([REPORT_AT_ONCE]);
  await temporal.start();
  setup = await setupRelay(temporal);
  await setup.startWorker();
  dispatcher = setup.newDispatcher();
});
afterAll(async () => {
  await setup.close();
  await temporal.close();
});

async function drain(): Promise<void> {
  while ((await dispatchBatch(dispatcher)).claimed > 0);
}

async function compare(): Promise<Reconciliation> {
  const { database, engine, logger, metrics }: Dispatcher = dispatcher;
  return reconcile({
    database,
    engine,
    logger,
    metrics,
    limits: { ...RECONCILE_LIMITS, settledMs: 0, pageSize: 7, blockedFromAttempts: 2 },
  });
}

/** Compares until the finding is there: visibility lags behind. */
async function findingOf(workflowId: string): Promise<Reconciliation['findings'][number]> {
  return eventually(`a finding about ${workflowId}`, async () =>
    (await compare()).findings.find((finding) => finding.workflowId === workflowId),
  );
}

async function endJob(jobId: string, status: string): Promise<void> {
  await setup.jobs.relay.query(
    `update longhaul.jobs set status = $2, phase = 'done', ended_at = now() - interval '1 minute' where id = $1`,
    [jobId, status],
  );
}

describe('the reconciler', () => {
  it('finds nothing where jobs and workflows agree, over several pages', async () => {
    const jobIds = await setup.jobs.accept('test.waiting', 20);
    await drain();
    const result = await eventually('visibility', async () => {
      const comparison = await compare();
      return comparison.workflowsSeen >= 20 && comparison;
    });
    expect(result).toMatchObject({ findings: [], jobsSeen: 20, workflowsSeen: 20 });
    for (const jobId of jobIds) {
      await endJob(jobId, 'CANCELLED');
      await setup.engine.client.workflow.getHandle(jobId).signal('cancel', {});
    }
  });

  it('sends a start again whose workflow never was', async () => {
    const [jobId = ''] = await setup.jobs.accept('test.waiting');
    // Marked as sent, and never received: the engine was restored from a backup, say.
    await setup.jobs.relay.query(`update longhaul.outbox set dispatched_at = now() where job_id = $1`, [
      jobId,
    ]);
    expect(await findingOf(jobId)).toMatchObject({ finding: 'not_started', mended: true });
    expect(
      await valueOf(dispatcher.registry, 'longhaul_reconciler_findings', { finding: 'not_started' }),
    ).toBe(1);
    await drain();
    await setup.engine.client.workflow.getHandle(jobId).signal('cancel', { reason: 'mended' });
    expect(await setup.engine.client.workflow.getHandle(jobId).result()).toBe('mended');
    await endJob(jobId, 'CANCELLED');
  });

  it('does not send a start again of a job that had begun, and says that it is lost', async () => {
    const [jobId = ''] = await setup.jobs.accept('test.waiting');
    await setup.jobs.relay.query(`update longhaul.outbox set dispatched_at = now() where job_id = $1`, [
      jobId,
    ]);
    await setup.jobs.owner.query(
      `insert into longhaul.effects (job_id, step, tenant_id, seq, step_kind, effect, state)
       values ($1, 'plan', $2, 0, 'readOnly', 'none', 'done')`,
      [jobId, setup.jobs.tenantId],
    );
    expect(await findingOf(jobId)).toMatchObject({ finding: 'lost', mended: false });
    expect(await setup.outboxOf(jobId)).toMatchObject([{ sent: true }]);
    await endJob(jobId, 'FAILED');
  });

  it('reports a workflow terminated by hand, and one that closed without recording the end', async () => {
    const [terminated = ''] = await setup.jobs.accept('test.waiting');
    const [closed = ''] = await setup.jobs.accept('test.relayed');
    await drain();
    await setup.engine.client.workflow.getHandle(terminated).terminate('by hand');
    await setup.engine.client.workflow.getHandle(closed).result();
    expect(await findingOf(terminated)).toMatchObject({ finding: 'terminated', mended: false });
    expect(await findingOf(closed)).toMatchObject({ finding: 'closed_without_end', mended: false });
    await endJob(terminated, 'FAILED');
    await endJob(closed, 'SUCCEEDED');
  });

  it('reports a workflow that no job knows, and leaves it alone', async () => {
    const unknown = uuidv7();
    // Whose payloads the test encrypts with a key it has: the codec would refuse a job nobody knows.
    setup.engine.tenants.remember(unknown, setup.jobs.tenantId);
    const handle = await setup.engine.client.workflow.start('waiting', {
      workflowId: unknown,
      taskQueue: 'workflows',
      typedSearchAttributes: searchAttributesOf({ tenantId: setup.jobs.tenantId, kind: 'test.waiting' }),
    });
    expect(await findingOf(unknown)).toMatchObject({ finding: 'unknown_job', mended: false });
    expect((await handle.describe()).status.name).toBe('RUNNING');
    await handle.terminate();
  });

  it('cancels the workflow of a job that was cancelled before it was known to have started', async () => {
    const [jobId = ''] = await setup.jobs.accept('test.waiting');
    await drain();
    await endJob(jobId, 'CANCELLED');
    expect(await findingOf(jobId)).toMatchObject({ finding: 'open_after_end', mended: true });
    expect(await setup.engine.client.workflow.getHandle(jobId).result()).toContain(
      'cancelled before it was started',
    );
  });

  it('reports a workflow whose task keeps failing as blocked', async () => {
    const [jobId = ''] = await setup.jobs.accept('test.broken');
    await drain();
    expect(await findingOf(jobId)).toMatchObject({ finding: 'blocked', mended: false });
    await setup.engine.client.workflow.getHandle(jobId).terminate();
    await endJob(jobId, 'FAILED');
  });

  it('fills in when a job was dispatched that the relay had to pass over', async () => {
    const [jobId = ''] = await setup.jobs.accept('test.waiting');
    const locker = await setup.jobs.owner.connect();
    await locker.query('begin');
    await locker.query(`select 1 from longhaul.jobs where id = $1 for update`, [jobId]);
    await drain();
    await locker.query('rollback');
    locker.release();
    const dispatchedAt = async (): Promise<Date | null | undefined> =>
      (
        await setup.jobs.relay.query<{ dispatched_at: Date | null }>(
          `select dispatched_at from longhaul.jobs where id = $1`,
          [jobId],
        )
      ).rows[0]?.dispatched_at;
    expect(await dispatchedAt()).toBeNull();
    expect(await setup.outboxOf(jobId)).toMatchObject([{ sent: true }]);
    await compare();
    expect(await dispatchedAt()).toBeInstanceOf(Date);
    await setup.engine.client.workflow.getHandle(jobId).signal('cancel', {});
    await endJob(jobId, 'CANCELLED');
  });
});

describe('the sweepers', () => {
  it('remove sent rows of ended jobs and old idempotency keys, and nothing else', async () => {
    const [ended = '', open = ''] = await setup.jobs.accept('test.waiting', 2);
    const [fresh = ''] = await setup.jobs.accept('test.waiting');
    await setup.jobs.relay.query(
      `update longhaul.outbox set dispatched_at = now() - interval '8 days' where job_id = any($1)`,
      [[ended, open]],
    );
    await endJob(ended, 'SUCCEEDED');
    expect(await sweepOutbox(setup.jobs.relay)).toBe(1);
    expect(await setup.outboxOf(ended)).toEqual([]);
    expect(await setup.outboxOf(open)).toHaveLength(1);
    expect(await setup.outboxOf(fresh)).toHaveLength(1);

    await setup.jobs.owner.query(
      `insert into longhaul.idempotency (tenant_id, route, key, fingerprint, created_at) values
       ($1, '/jobs', 'old', '', now() - interval '26 hours'), ($1, '/jobs', 'young', '', now() - interval '23 hours')`,
      [setup.jobs.tenantId],
    );
    expect(await sweepIdempotency(setup.jobs.relay)).toBe(1);
    expect((await setup.jobs.relay.query(`select key from longhaul.idempotency`)).rows).toEqual([
      { key: 'young' },
    ]);
  });
});
