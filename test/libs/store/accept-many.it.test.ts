import fc from 'fast-check';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { ensureTenant } from '../../../libs/security/tenants.store.js';
import {
  acceptJobs,
  acceptMany,
  type AcceptAnswer,
  type SingleRequest,
} from '../../../libs/store/accept.store.js';
import { createAcceptanceGatherer } from '../../../libs/store/acceptance.gatherer.js';
import { inTenant, inTransaction, openDatabase } from '../../../libs/store/database.js';
import { createTenantJobs, type TenantJobs } from '../../support/tenant-jobs.js';

let jobs: TenantJobs;
let rivalId: string;
beforeAll(async () => {
  jobs = await createTenantJobs();
  rivalId = await ensureTenant(jobs.owner, 'rival', jobs.masterKey);
});
afterAll(() => jobs.close());

interface Wish {
  /** The natural key. */
  readonly key?: string | null;
  readonly input?: number;
  readonly idempotencyKey?: string | undefined;
  readonly kind?: string;
}

function requestOf(
  { key = null, input = 1, idempotencyKey, kind = 'note.write' }: Wish,
  tenantId = jobs.tenantId,
) {
  const job = {
    id: uuidv7(),
    kind,
    key,
    input: Buffer.from([input]),
    digest: Buffer.from([input]),
    deadlineMs: 60_000,
    restart: false,
    traceParent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  };
  const fingerprint = Buffer.from(`${key}/${input}`);
  return { tenantId, route: '/jobs', idempotencyKey, fingerprint, jobs: [job] } satisfies SingleRequest;
}

const outcomesOf = (answers: readonly AcceptAnswer[]): (string | undefined)[] =>
  answers.map(({ items }) => items[0]?.outcome);
const jobIdOf = ({ items: [item] }: AcceptAnswer): string | undefined =>
  item && 'jobId' in item ? item.jobId : undefined;

/** The names of the statements that a pool was asked for. */
function watchStatements(database: typeof jobs.app): string[] {
  const names: string[] = [];
  const query = database.query.bind(database) as (config: { name?: string }) => unknown;
  vi.spyOn(database, 'query').mockImplementation(((config: { name?: string }) => {
    names.push(config.name ?? '');
    return query(config);
  }) as never);
  return names;
}

describe('accepting many', () => {
  // First, while no page has room that was freed: rows lie in the order they were written.
  test('takes keys in one order, whatever order they came in', async () => {
    const keys = ['d', 'a', 'c', 'b'].map((letter) => `order/${letter}`);
    await acceptMany(
      jobs.app,
      jobs.tenantId,
      keys.map((key) => requestOf({ key, idempotencyKey: key })),
    );
    const inOrderOfWriting = await inTenant(jobs.app, jobs.tenantId, async (connection) => [
      await connection.query(
        `select natural_key as key from longhaul.jobs where natural_key like 'order/%' order by ctid`,
      ),
      await connection.query(`select key from longhaul.idempotency where key like 'order/%' order by ctid`),
    ]);
    for (const { rows } of inOrderOfWriting) {
      expect(rows.map((row: { key: string }) => row.key)).toEqual(keys.toSorted());
    }
  });

  test('answers and stores what accepting each alone would', async () => {
    const wish = fc.record({
      key: fc.constantFrom(null, 'a', 'b'),
      input: fc.constantFrom(1, 2),
      idempotencyKey: fc.constantFrom(undefined, undefined, 'x', 'y'),
    });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(wish, { minLength: 1, maxLength: 6 }), { maxLength: 3 }),
        async (batches) => {
          run += 1;
          const named = batches.map((batch) =>
            batch.map(({ key, input, idempotencyKey }) => ({
              key: key && `${run}/${key}`,
              input,
              idempotencyKey: idempotencyKey && `${run}/${idempotencyKey}`,
            })),
          );
          const together = new Teller();
          const alone = new Teller();
          for (const batch of named) {
            const requests = batch.map((one) => requestOf(one));
            const answers = await acceptMany(jobs.app, jobs.tenantId, requests);
            const later = answers.flatMap(({ replayed }, place) => (replayed === null ? [place] : []));
            for (const place of later) answers[place] = await acceptJobs(jobs.app, requests[place]!);
            // What was to be asked again came after the others.
            const order = [...batch.keys()].sort(
              (a, b) => Number(later.includes(a)) - Number(later.includes(b)),
            );
            for (const place of order) {
              const request = requestOf(batch[place]!, rivalId);
              const expected = await acceptJobs(jobs.app, request);
              alone.accepted(place, request.jobs[0].id);
              together.accepted(place, requests[place]!.jobs[0].id);
              expect(together.tell(answers[place]!)).toEqual(alone.tell(expected));
            }
          }
          expect(await storedBy(jobs.tenantId, run, together)).toEqual(await storedBy(rivalId, run, alone));
        },
      ),
      { numRuns: 40 },
    );
  });

  test('writes for one tenant only, whoever else has the same keys', async () => {
    const own = await acceptMany(jobs.app, jobs.tenantId, [requestOf({ key: 'everybody’s' })]);
    const theirs = await acceptMany(jobs.app, rivalId, [requestOf({ key: 'everybody’s' }, rivalId)]);
    expect(outcomesOf([...own, ...theirs])).toEqual(['accepted', 'accepted']);
    const seen = await inTenant(jobs.app, rivalId, (connection) =>
      connection.query<{ id: string }>(`select id from longhaul.jobs where natural_key = 'everybody’s'`),
    );
    expect(seen.rows.map(({ id }) => id)).toEqual(theirs.map(jobIdOf));
  });
});

describe('the gatherer', () => {
  test('makes few round trips of many requests, and gives each its own answer', async () => {
    const statements = watchStatements(jobs.app);
    const gatherer = createAcceptanceGatherer(jobs.app);
    const requests = Array.from({ length: 300 }, (_, place) => requestOf({ key: `storm/${place}` }));
    const answers = await Promise.all(requests.map((request) => gatherer.accept(request)));
    vi.restoreAllMocks();
    expect(answers.map(jobIdOf)).toEqual(requests.map(({ jobs: [{ id }] }) => id));
    expect(statements).toEqual(['accept_many', 'accept_many', 'accept_many']);
    const { rows } = await inTenant(jobs.app, jobs.tenantId, (connection) =>
      connection.query<{ jobs: number; messages: number }>(
        `select count(*)::int as jobs, count(o.id)::int as messages from longhaul.jobs j
           left join longhaul.outbox o on o.job_id = j.id where j.natural_key like 'storm/%'`,
      ),
    );
    expect(rows).toEqual([{ jobs: 300, messages: 300 }]);
  });

  test('lets a request that waits for a rival’s lock wait alone', async () => {
    const gatherer = createAcceptanceGatherer(jobs.app);
    const rival = requestOf({ key: 'held' });
    const held = await inTransaction(jobs.app, async (connection) => {
      await connection.query(`select longhaul.accept($1, '/jobs', null, null, $2)`, [
        jobs.tenantId,
        JSON.stringify([{ ...rival.jobs[0], input: '', digest: '01' }]),
      ]);
      const waiting = gatherer.accept(requestOf({ key: 'held' }));
      waiting.catch(() => undefined);
      const others = await Promise.all(
        Array.from({ length: 20 }, (_, place) => gatherer.accept(requestOf({ key: `beside/${place}` }))),
      );
      expect(new Set(outcomesOf(others))).toEqual(new Set(['accepted']));
      return { waiting };
    });
    const answer = await held.waiting;
    expect([outcomesOf([answer]), jobIdOf(answer)]).toEqual([['duplicate'], rival.jobs[0].id]);
  });

  test('lets a request that the database refuses fail alone', async () => {
    const gatherer = createAcceptanceGatherer(jobs.app);
    const requests = ['fine/1', 'NUL\0', 'fine/2'].map((key) => requestOf({ key }));
    const [first, refused, second] = await Promise.allSettled(requests.map((one) => gatherer.accept(one)));
    expect(refused).toMatchObject({ status: 'rejected', reason: { code: '22P05' } });
    expect([first?.status, second?.status]).toEqual(['fulfilled', 'fulfilled']);
  });

  test('of two processes that share keys makes one job a key, without a deadlock', async () => {
    const another = openDatabase(jobs.url, 'app', { max: 10 });
    const gatherers = [createAcceptanceGatherer(jobs.app), createAcceptanceGatherer(another)];
    const keys = Array.from({ length: 200 }, (_, place) => `shared/${place}`);
    const answers = await Promise.all(
      gatherers.flatMap((gatherer, place) =>
        (place === 0 ? keys : keys.toReversed()).flatMap((key) =>
          [1, 2].map(async () => ({
            key,
            answer: await gatherer.accept(requestOf({ key, idempotencyKey: `of ${key} by ${place}` })),
          })),
        ),
      ),
    );
    // Two of one process with one Idempotency-Key: one of them may be told to ask again.
    const told = answers.filter(({ answer }) => answer.replayed !== null);
    const makers = told.filter(
      ({ answer }) => answer.replayed === false && answer.items[0]?.outcome === 'accepted',
    );
    expect(makers.map(({ key }) => key).toSorted()).toEqual(keys.toSorted());
    const byKey = Map.groupBy(told, ({ key }) => key);
    for (const [key, group] of byKey) {
      expect([key, new Set(group.map(({ answer }) => jobIdOf(answer))).size]).toEqual([key, 1]);
    }
    const { rows } = await jobs.owner.query<{ deadlocks: string }>(
      `select deadlocks from pg_stat_database where datname = current_database()`,
    );
    expect(rows).toEqual([{ deadlocks: '0' }]);
    await another.end();
  });
});

/** Tells answers with requests' places instead of job ids, so that two tenants' can be compared. */
class Teller {
  private readonly names = new Map<string, string>();
  private batch = 0;

  accepted(place: number, jobId: string): void {
    this.names.set(jobId, `${(this.batch += 1)}: ${place}`);
  }

  tell({ replayed, reused, items }: AcceptAnswer): object {
    return { replayed, reused, items: this.tellItems(items) };
  }

  tellItems(items: AcceptAnswer['items']): object[] {
    return items.map((item) => ({
      outcome: item.outcome,
      job: 'jobId' in item ? this.names.get(item.jobId) : undefined,
      attemptOf: 'attemptOf' in item ? item.attemptOf : undefined,
    }));
  }

  nameOf(jobId: string): string | undefined {
    return this.names.get(jobId);
  }
}

async function storedBy(tenantId: string, run: number, teller: Teller): Promise<object> {
  return inTenant(jobs.app, tenantId, async (connection) => {
    const made = await connection.query<{ id: string; key: string; messages: number; ms: number }>(
      `select j.id, j.natural_key as key, j.input, (select count(*)::int from longhaul.outbox o where o.job_id = j.id) as messages,
         extract(epoch from j.deadline_at - j.created_at)::int as ms, j.trace_parent
       from longhaul.jobs j where j.natural_key like $1 order by j.natural_key`,
      [`${run}/%`],
    );
    const keys = await connection.query<{
      key: string;
      fingerprint: Buffer;
      response: AcceptAnswer['items'];
    }>(`select key, fingerprint, response from longhaul.idempotency where key like $1 order by key`, [
      `${run}/%`,
    ]);
    return {
      jobs: made.rows.map((row) => ({ ...row, id: teller.nameOf(row.id) })),
      keys: keys.rows.map((row) => ({ ...row, response: teller.tellItems(row.response) })),
    };
  });
}
