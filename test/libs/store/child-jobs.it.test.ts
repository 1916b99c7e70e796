/** Child jobs in PostgreSQL: whose they are, how they end, and the word that wakes their parent, which is never lost. */
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  CHILD_DEPTH_MAX,
  outputOf,
  type ChildJobs,
  type ChildrenRef,
} from '../../../libs/saga/child-jobs.js';
import type { Children } from '../../../libs/saga/define.js';
import { cancelUnsent } from '../../../libs/outbox/outbox.store.js';
import { requestCancel } from '../../../libs/store/accept.store.js';
import { createChildJobs } from '../../../libs/store/child-jobs.store.js';
import { inTenant, inTransaction } from '../../../libs/store/database.js';
import { notes } from '../../apps/api/kinds.js';
import { order } from '../../conformance/kinds.js';
import { createTenantJobs, type TenantJobs } from '../../support/tenant-jobs.js';

const MANY: Children = { of: order, many: true };
const ONE: Children = { of: order, many: false };

let jobs: TenantJobs;
let children: ChildJobs;
beforeAll(async () => {
  jobs = await createTenantJobs();
  children = createChildJobs(jobs.worker, jobs.cipher);
});
afterAll(() => jobs.close());

async function newParent(): Promise<ChildrenRef> {
  const [id = ''] = await jobs.accept('test.convoy');
  return refOf(id);
}

function refOf(id: string): ChildrenRef {
  return { job: { id, tenantId: jobs.tenantId, kind: 'test.convoy' }, step: 'ship', generation: 0 };
}

async function start(parent: ChildrenRef, count: number): Promise<string[]> {
  const inputs = Array.from({ length: count }, () => ({ count: 1 }));
  await inTransaction(jobs.worker, (tx) => children.start(tx, parent, order, inputs));
  const { rows } = await jobs.owner.query<{ id: string }>(
    `select set_config('longhaul.tenant', $2, false), id from longhaul.jobs where parent_id = $1 order by id`,
    [parent.job.id, jobs.tenantId],
  );
  return rows.map(({ id }) => id);
}

/** As the terminal record of a child does. */
async function finish(id: string, status = 'SUCCEEDED', result: Buffer | null = null): Promise<void> {
  const ending = {
    status,
    ...(status === 'SUCCEEDED' ? {} : { error: { code: 'lost', title: 'Lost', detail: 'At sea.' } }),
  };
  await jobs.worker.query('select longhaul.finish_job($1, $2, $3, $4)', [
    jobs.tenantId,
    id,
    JSON.stringify(ending),
    result,
  ]);
}

async function wakesOf({ job }: ChildrenRef): Promise<boolean[]> {
  const { rows } = await jobs.relay.query<{ sent: boolean }>(
    `select dispatched_at is not null as sent from longhaul.outbox where job_id = $1 and message = 'wake'`,
    [job.id],
  );
  return rows.map(({ sent }) => sent);
}

describe('children', () => {
  test('are jobs of their kind, each under the key of its step and its own', async () => {
    const parent = await newParent();
    const inputs = [{ topic: 'sea/air', version: 2 }, { topic: 'land' }];
    await inTransaction(jobs.worker, (tx) => children.start(tx, parent, notes, inputs));
    await start({ ...parent, step: 'other' }, 2);
    const { rows } = await inTenant(jobs.app, jobs.tenantId, (connection) =>
      connection.query<{ natural_key: string; kind: string }>(
        'select natural_key, kind from longhaul.jobs where parent_id = $1 order by natural_key',
        [parent.job.id],
      ),
    );
    const key = (tail: string): string => `${parent.job.id}/${tail}`;
    expect(rows).toEqual([
      { natural_key: key('other/0/0'), kind: 'test.order' },
      { natural_key: key('other/0/1'), kind: 'test.order' },
      { natural_key: key('ship/0/land/1'), kind: 'note.write' },
      { natural_key: key('ship/0/sea%2fair/2'), kind: 'note.write' },
    ]);
  });

  test('are none where the transaction that starts them is rolled back, or an input does not fit', async () => {
    const parent = await newParent();
    const failing = inTransaction(jobs.worker, async (tx) => {
      await children.start(tx, parent, order, [{ count: 1 }]);
      throw new Error('on purpose');
    });
    await expect(failing).rejects.toThrow('on purpose');
    const unfit = inTransaction(jobs.worker, (tx) => children.start(tx, parent, order, [{ count: -1 }]));
    await expect(unfit).rejects.toThrow('>=0');
    expect(await children.look(parent, MANY)).toEqual({ open: 0, succeeded: 0, failed: 0, cancelled: 0 });
  });

  test('are counted by how they ended, those of one step apart from another’s', async () => {
    const parent = await newParent();
    await start({ ...parent, step: 'other' }, 3);
    const [, , , first = '', second = '', third = ''] = await start(parent, 4);
    await finish(first);
    await finish(second, 'FAILED');
    await finish(third, 'CANCELLED');
    expect(await children.look(parent, MANY)).toEqual({ open: 1, succeeded: 1, failed: 1, cancelled: 1 });
  });

  test('tell, where there is one, what it answered, or why it did not', async () => {
    const { tenantId } = jobs;
    const well = await newParent();
    const [good = ''] = await start(well, 1);
    const sealed = await jobs.cipher.encrypt(
      tenantId,
      Buffer.from('{"charge":"ch_1"}'),
      `${tenantId}/${good}/result`,
    );
    await finish(good, 'SUCCEEDED', sealed);
    expect(outputOf(await children.look(well, ONE), ONE)).toEqual({
      jobId: good,
      status: 'SUCCEEDED',
      result: { charge: 'ch_1' },
    });
    const badly = await newParent();
    const [bad = ''] = await start(badly, 1);
    await finish(bad, 'FAILED');
    expect(outputOf(await children.look(badly, ONE), ONE)).toMatchObject({
      jobId: bad,
      status: 'FAILED',
      error: { code: 'lost' },
    });
  });

  test('have children of their own only so deep', async () => {
    let parent = await newParent();
    for (let depth = 1; depth <= CHILD_DEPTH_MAX; depth += 1) {
      const [child = ''] = await start(parent, 1);
      parent = refOf(child);
    }
    await expect(start(parent, 1)).rejects.toMatchObject({ name: 'Rejected', code: 'children_too_deep' });
  });
});

describe('a parent is woken', () => {
  test('by its last child’s end, and by none before', async () => {
    const parent = await newParent();
    const [first = '', second = ''] = await start(parent, 2);
    await finish(first);
    expect(await wakesOf(parent)).toEqual([]);
    await finish(second, 'FAILED');
    expect(await wakesOf(parent)).toEqual([false]);
  });

  test('once, whichever of its last children is first to be recorded', async () => {
    const parent = await newParent();
    const ids = await start(parent, 24);
    await Promise.all(ids.map((id) => finish(id)));
    expect(await wakesOf(parent)).toEqual([false]);
  });

  test('by the end of two that do not see each other’s', async () => {
    const parent = await newParent();
    const [first = '', second = ''] = await start(parent, 2);
    await inTransaction(jobs.worker, async (connection) => {
      await connection.query(`select set_config('longhaul.tenant', $1, true)`, [jobs.tenantId]);
      await connection.query(
        `update longhaul.jobs set status = 'SUCCEEDED', ended_at = now() where id = $1`,
        [first],
      );
      await finish(second);
    });
    expect(await wakesOf(parent)).toEqual([false]);
  });

  test('again for another step, although a word before was sent', async () => {
    const parent = await newParent();
    const [first = ''] = await start(parent, 1);
    await finish(first);
    await jobs.relay.query(`update longhaul.outbox set dispatched_at = now() where job_id = $1`, [
      parent.job.id,
    ]);
    const [, second = ''] = await start({ ...parent, step: 'other' }, 1);
    await finish(second);
    expect(await wakesOf(parent)).toEqual([false]);
  });

  test.each([
    ['their parent', (parent: ChildrenRef) => children.cancel(parent, 'Taken back')],
    [
      'a client',
      async (_: ChildrenRef, ids: readonly string[]) => {
        for (const id of ids) await requestCancel(jobs.app, jobs.tenantId, id, 'Not wanted');
      },
    ],
    [
      'the relay',
      (_: ChildrenRef, ids: readonly string[]) =>
        inTransaction(jobs.relay, async (connection) => {
          for (const id of ids) await cancelUnsent(connection, id);
        }),
    ],
  ])('when %s ends its children before they were sent', async (_, cancel) => {
    const parent = await newParent();
    const [first = '', ...rest] = await start(parent, 3);
    await finish(first);
    await cancel(parent, rest);
    expect(await children.look(parent, MANY)).toEqual({ open: 0, succeeded: 1, failed: 0, cancelled: 2 });
    expect(await wakesOf(parent)).toEqual([false]);
  });
});

test('nobody’s children are another’s', async () => {
  const parent = await newParent();
  await start(parent, 1);
  const foreign = { ...parent, job: { ...parent.job, tenantId: uuidv7() } };
  expect(await children.look(foreign, MANY)).toMatchObject({ open: 0 });
  await children.cancel(foreign, 'Not mine');
  expect(await children.look(parent, MANY)).toMatchObject({ open: 1 });
});
