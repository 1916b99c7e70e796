/**
 * Group commit: requests that come while a tenant's round trips are under way go together in the next one; a lone one
 * goes at once. A batch is one tenant's, so that nobody waits for another's locks. Where a batch fails and was rolled back
 * for certain, each of its requests tries again alone.
 */
import pg from 'pg';
import {
  acceptJobs,
  acceptMany,
  isSingle,
  type AcceptAnswer,
  type AcceptRequest,
  type SingleRequest,
} from './accept.store.js';
import type { Database } from './database.js';
import { postgresVerdict } from './postgres-failure.js';

export interface AcceptanceGatherer {
  /** As {@link acceptJobs}, in whatever company. An answer with `replayed: null`: ask {@link acceptJobs}. */
  accept(request: AcceptRequest): Promise<AcceptAnswer>;
  /** Resolves when nothing waits and nothing is under way. */
  drain(): Promise<void>;
}

/** Of one tenant: the database works on one while the answers to the other are sent and the next is gathered. */
const BATCHES_AT_ONCE = 2;
/** Turns of the event loop that a batch waits for at most, as long as each brings more requests. */
const TURNS_MAX = 4;
const BATCH_REQUESTS_MAX = 100;
const BATCH_BYTES_MAX = 1_048_576;
/** As long as anybody waits for a connection. */
const WAIT_MAX_MS = 3_000;

interface Waiting {
  readonly request: SingleRequest;
  readonly since: number;
  readonly answer: (answer: AcceptAnswer | Promise<AcceptAnswer>) => void;
  readonly fail: (error: unknown) => void;
}

/** A tenant's requests. */
interface Line {
  waiting: Waiting[];
  underWay: number;
  called: boolean;
}

/** Those before it took too long. Its code says what a connection says that is not to be had. */
class WaitedTooLong extends Error {
  readonly code = 'ETIMEDOUT';

  constructor() {
    super(`a job waited over ${WAIT_MAX_MS} ms for those before it`);
  }
}

/** `onBatch` hears how many requests go together. */
export function createAcceptanceGatherer(
  database: Database,
  onBatch: (requests: number) => void = () => undefined,
): AcceptanceGatherer {
  const lines = new Map<string, Line>();
  const work = new Set<Promise<unknown>>();
  let patience: NodeJS.Timeout | undefined;

  const track = (promise: Promise<unknown>): void => {
    const forget = (): void => void work.delete(promise);
    work.add(promise);
    promise.then(forget, forget);
  };

  const send = async (tenantId: string, batch: readonly Waiting[]): Promise<void> => {
    onBatch(batch.length);
    try {
      const answers = await acceptMany(
        database,
        tenantId,
        batch.map(({ request }) => request),
      );
      batch.forEach(({ answer, fail }, place) => {
        const own = answers[place];
        if (own) answer(own);
        else fail(new Error('longhaul.accept_many left out an answer'));
      });
    } catch (error) {
      for (const { request, answer, fail } of batch) {
        if (!isRolledBack(error)) fail(error);
        else {
          const alone = acceptJobs(database, request);
          track(alone);
          answer(alone);
        }
      }
    }
  };

  const call = (tenantId: string, line: Line): void => {
    line.called = false;
    while (line.underWay < BATCHES_AT_ONCE && line.waiting.length > 0) {
      line.underWay += 1;
      const sent = send(tenantId, takeBatch(line)).then(() => {
        line.underWay -= 1;
        callSoon(tenantId, line);
      });
      track(sent);
    }
    if (line.underWay === 0 && lines.get(tenantId) === line) lines.delete(tenantId);
  };

  /** What this turn of the event loop still reads from other sockets comes along, and the next turn's where there was any. */
  const callSoon = (tenantId: string, line: Line): void => {
    if (line.called) return;
    line.called = true;
    const look = (seen: number, turns: number): void => {
      const { length } = line.waiting;
      if (length > seen && length < BATCH_REQUESTS_MAX && turns < TURNS_MAX)
        setImmediate(look, length, turns + 1);
      else call(tenantId, line);
    };
    setImmediate(look, 0, 0);
  };

  const watch = (): void => {
    patience = undefined;
    const latest = performance.now() - WAIT_MAX_MS;
    let oldest = Infinity;
    for (const line of lines.values()) {
      for (const { since, fail } of line.waiting) if (since <= latest) fail(new WaitedTooLong());
      line.waiting = line.waiting.filter(({ since }) => since > latest);
      oldest = Math.min(oldest, line.waiting[0]?.since ?? Infinity);
    }
    if (oldest < Infinity) patience = setTimeout(watch, Math.ceil(oldest - latest)).unref();
  };

  return {
    accept(request) {
      if (!isSingle(request)) return acceptJobs(database, request);
      const { tenantId } = request;
      const line = lines.get(tenantId) ?? { waiting: [], underWay: 0, called: false };
      lines.set(tenantId, line);
      const { promise, resolve, reject } = Promise.withResolvers<AcceptAnswer>();
      line.waiting.push({ request, since: performance.now(), answer: resolve, fail: reject });
      if (line.underWay < BATCHES_AT_ONCE) callSoon(tenantId, line);
      patience ??= setTimeout(watch, WAIT_MAX_MS).unref();
      return promise;
    },
    async drain() {
      while (lines.size > 0 || work.size > 0) {
        await Promise.allSettled([...work, new Promise((resolve) => setImmediate(resolve))]);
      }
    },
  };
}

/** The first in line, as many as go together. */
function takeBatch(line: Line): Waiting[] {
  let bytes = 0;
  const end = line.waiting.findIndex(({ request }, place) => {
    bytes += request.jobs[0].input.length;
    return place > 0 && (place >= BATCH_REQUESTS_MAX || bytes > BATCH_BYTES_MAX);
  });
  return line.waiting.splice(0, end < 0 ? line.waiting.length : end);
}

/** PostgreSQL said no itself, and did not just go away: nothing was kept. */
function isRolledBack(error: unknown): boolean {
  return error instanceof pg.DatabaseError && postgresVerdict(error) !== 'unknown';
}
