import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createAcceptanceGatherer } from '../../../libs/store/acceptance.gatherer.js';
import type { AcceptAnswer, AcceptRequest } from '../../../libs/store/accept.store.js';
import type { Database } from '../../../libs/store/database.js';

/** A database that answers when it is told to; `calls` are the requests in each round trip, by job id. */
function createSlowDatabase() {
  const calls: { ids: string[]; answer: () => void; fail: (error: Error) => void }[] = [];
  const query = ({ name, values }: { name: string; values: string[] }): Promise<unknown> => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const alone = name === 'accept';
    const jobs = JSON.parse(values[alone ? 4 : 1] ?? '[]') as { id: string }[];
    const accepted = (id: string): AcceptAnswer => ({
      replayed: false,
      reused: false,
      items: [{ outcome: 'accepted', jobId: id, createdAt: '', deadlineAt: '', attemptOf: null }],
    });
    const at = new Date(0).toISOString();
    calls.push({
      ids: jobs.map(({ id }) => id),
      answer: () => resolve({ rows: [{ answer: alone ? accepted(jobs[0]?.id ?? '') : { at, others: {} } }] }),
      fail: reject,
    });
    return promise;
  };
  return { database: { query } as unknown as Database, calls };
}

function requestOf(id: string, tenantId = 'acme', bytes = 1): AcceptRequest {
  const job = {
    id,
    kind: 'note.write',
    key: null,
    input: Buffer.alloc(bytes),
    digest: Buffer.alloc(1),
    deadlineMs: 1_000,
    restart: false,
    traceParent: '',
  };
  return { tenantId, route: '/jobs', idempotencyKey: undefined, fingerprint: Buffer.alloc(0), jobs: [job] };
}

const jobOf = (answer: AcceptAnswer): string | undefined => {
  const [item] = answer.items;
  return item && 'jobId' in item ? item.jobId : undefined;
};
/** It is given up for want of an answer when its test is long over: another test is not to be told. */
const unheard = (answer: Promise<AcceptAnswer>): void => void answer.catch(() => undefined);
/** The event loop goes round once. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
/** It goes round more often than the gatherer waits for it. */
const turns = async (): Promise<void> => {
  for (let round = 0; round < 10; round += 1) await turn();
};

describe('the gatherer', () => {
  test('sends a lone request at once, and gathers what comes while two batches are under way', async () => {
    const { database, calls } = createSlowDatabase();
    const gatherer = createAcceptanceGatherer(database);
    const answers = ['a'].map((id) => gatherer.accept(requestOf(id)));
    await turns();
    for (const id of ['b', 'c']) answers.push(gatherer.accept(requestOf(id)));
    await turns();
    for (const id of ['d', 'e', 'f']) {
      answers.push(gatherer.accept(requestOf(id)));
      await turns();
    }
    expect(calls.map(({ ids }) => ids)).toEqual([['a'], ['b', 'c']]);
    calls[0]?.answer();
    await vi.waitFor(() => expect(calls).toHaveLength(3));
    expect(calls.map(({ ids }) => ids)).toEqual([['a'], ['b', 'c'], ['d', 'e', 'f']]);
    for (const { answer } of calls) answer();
    expect((await Promise.all(answers)).map(jobOf)).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  });

  test('waits for the next turn of the event loop while each brings more, but not for ever', async () => {
    const { database, calls } = createSlowDatabase();
    const gatherer = createAcceptanceGatherer(database);
    for (let place = 0; place < 20; place += 1) {
      unheard(gatherer.accept(requestOf(String(place))));
      await turn();
    }
    const [first, second] = calls.map(({ ids }) => ids.length);
    expect(first).toBeGreaterThan(2);
    expect(first).toBeLessThan(8);
    expect(second).toBeGreaterThan(2);
  });

  test('keeps tenants apart', async () => {
    const { database, calls } = createSlowDatabase();
    const gatherer = createAcceptanceGatherer(database);
    for (const id of ['a', 'b', 'c']) {
      unheard(gatherer.accept(requestOf(id)));
      await turns();
    }
    unheard(gatherer.accept(requestOf('x', 'rival')));
    await turns();
    expect(calls.map(({ ids }) => ids)).toEqual([['a'], ['b'], ['x']]);
  });

  test('bounds a batch by requests and by bytes', async () => {
    const { database, calls } = createSlowDatabase();
    const sizes: number[] = [];
    const gatherer = createAcceptanceGatherer(database, (size) => sizes.push(size));
    for (let place = 0; place < 150; place += 1) unheard(gatherer.accept(requestOf(`few-${place}`)));
    await turns();
    expect(calls.map(({ ids }) => ids.length)).toEqual([100, 50]);
    expect(sizes).toEqual([100, 50]);
    for (let place = 0; place < 3; place += 1) {
      unheard(gatherer.accept(requestOf(`large-${place}`, 'rival', 600_000)));
    }
    await turns();
    expect(calls.slice(2).map(({ ids }) => ids)).toEqual([['large-0'], ['large-1']]);
  });

  test('tells all of a batch when the connection is lost: nobody knows what became of it', async () => {
    const { database, calls } = createSlowDatabase();
    const gatherer = createAcceptanceGatherer(database);
    const answers = ['a', 'b'].map((id) => gatherer.accept(requestOf(id)));
    await turns();
    const lost = new Error('Connection terminated unexpectedly');
    calls[0]?.fail(lost);
    expect(await Promise.allSettled(answers)).toEqual([
      { status: 'rejected', reason: lost },
      { status: 'rejected', reason: lost },
    ]);
    expect(calls).toHaveLength(1);
  });

  test('is drained when everything was answered', async () => {
    const { database, calls } = createSlowDatabase();
    const gatherer = createAcceptanceGatherer(database);
    const answers = ['a', 'b', 'c', 'd'].map((id) => gatherer.accept(requestOf(id)));
    let drained = false;
    const draining = gatherer.drain().then(() => (drained = true));
    await turns();
    await turns();
    expect(drained).toBe(false);
    for (const { answer } of calls) answer();
    await draining;
    expect((await Promise.all(answers)).map(jobOf)).toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('with a database that says nothing', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('who waits for others gives up as one who waits for a connection does', async () => {
    const { database } = createSlowDatabase();
    const gatherer = createAcceptanceGatherer(database);
    const under: Promise<AcceptAnswer>[] = [];
    for (const id of ['a', 'b']) {
      under.push(gatherer.accept(requestOf(id)));
      await vi.advanceTimersByTimeAsync(1);
    }
    const settled = vi.fn();
    for (const promise of under) promise.then(settled, settled);
    await vi.advanceTimersByTimeAsync(2_000);
    const waiting = gatherer.accept(requestOf('c')).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(2_900);
    const late = vi.fn();
    void gatherer.accept(requestOf('d')).then(late, late);
    await vi.advanceTimersByTimeAsync(200);
    expect(await waiting).toMatchObject({ code: 'ETIMEDOUT' });
    expect(late).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(3_000);
    expect(late).toHaveBeenCalledOnce();
    expect(settled).not.toHaveBeenCalled();
  });
});
