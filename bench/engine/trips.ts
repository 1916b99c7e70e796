/** One round of a contender: a number of trips, so many at a time, and proof afterwards that each was done once. */
import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { v7 as uuidv7 } from 'uuid';
import type { SagaStart } from '../../libs/saga/protocol.js';
import type { TenantCipher } from '../../libs/security/tenant-cipher.js';
import { acceptJobs } from '../../libs/store/accept.store.js';
import { openDatabase, type Database } from '../../libs/store/database.js';
import { inputAad } from '../../libs/store/job-input.store.js';
import { JOB_ENDS_CHANNEL } from '../../libs/store/job-ends.js';
import { listenTo } from '../../libs/store/notifications.js';
import { createLogger } from '../../libs/telemetry/logger.js';
import type { EngineClient } from '../../libs/temporal/connection.js';
import { searchAttributesOf } from '../../libs/temporal/search-attributes.js';
import { childrenOf, watchMemory } from '../support/memory.js';
import { processorSecondsOf } from '../support/processor-time.js';
import type { Sample } from '../support/rounds.js';
import type { StackUnderBench } from '../support/stack.js';
import { median } from '../support/statistics.js';
import { workflowQueueOf, type EngineContender } from './contenders.js';
import type { TripByHand } from './hand-written.activities.js';
import type { Host } from './host.js';
import { trip } from './trip.job.js';

/** What the rounds stand on. */
export interface Grounds {
  readonly stack: StackUnderBench;
  /** As the tables' owner. */
  readonly owner: pg.Pool;
  /** As longhaul_app. */
  readonly database: Database;
  readonly cipher: TenantCipher;
  readonly engine: EngineClient;
  readonly tenantId: string;
}

export interface Load {
  readonly jobs: number;
  readonly inFlight: number;
}

const MS_PER_SECOND = 1_000;
const ACCEPTED_AT_A_TIME = 100;
const DIGEST_BYTES = 32;
const STEPS = 3;
/** Without word of a workflow's end for this long, something is wrong. */
const SILENCE_MAX_MS = 180_000;

/** Runs one round; throws when a workflow did not succeed, or an effect is missing or there twice. */
export async function runTrips(
  contender: EngineContender,
  host: Host,
  grounds: Grounds,
  { jobs, inFlight }: Load,
): Promise<Sample> {
  const { stack, engine } = grounds;
  const trips =
    contender.host === 'saga' ? await acceptSagas(grounds, jobs) : await acceptByHand(grounds, jobs);
  const ends = await hearEnds(stack);
  const processes = processesOf(stack, host);
  const memory = watchMemory(() => processes().filter(([name]) => name !== 'client'));
  try {
    const before = cpuOf(processes());
    const startedAt = performance.now();
    const tookMs = await drive(trips, inFlight, async ({ id, argument }) => {
      const from = performance.now();
      const ended = ends.of(id, stack.signal);
      // Where the start fails, nobody awaits it; unheard it would end the process before it has cleaned up.
      ended.catch(() => undefined);
      engine.tenants.remember(id, grounds.tenantId);
      await engine.client.workflow.start(contender.workflowType, {
        workflowId: id,
        taskQueue: workflowQueueOf(contender.host),
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        args: [argument],
        // As the relay starts a job.
        typedSearchAttributes: searchAttributesOf({ tenantId: grounds.tenantId, kind: trip.kind }),
        priority: { fairnessKey: grounds.tenantId },
      });
      await ended;
      return performance.now() - from;
    });
    const totalMs = performance.now() - startedAt;
    const after = cpuOf(processes());
    const history = await audit(
      contender,
      grounds,
      trips.map(({ id }) => id),
      inFlight,
    );
    return {
      value: (jobs / totalMs) * MS_PER_SECOND,
      figures: { 'p50 ms': median(tookMs), ...cpuFigures(before, after, jobs), ...history },
      rss: memory.stop(),
    };
  } finally {
    memory.stop();
    await ends.close();
  }
}

interface Accepted {
  readonly id: string;
  readonly argument: SagaStart | TripByHand;
}

/** Jobs as `POST /jobs` leaves them: the input sealed, the relay's row beside it. */
async function acceptSagas({ database, cipher, tenantId }: Grounds, count: number): Promise<Accepted[]> {
  const ids = Array.from({ length: count }, () => uuidv7());
  const accepted: Accepted[] = [];
  for (let at = 0; at < count; at += ACCEPTED_AT_A_TIME) {
    const batch = ids.slice(at, at + ACCEPTED_AT_A_TIME);
    const jobs = await Promise.all(
      batch.map(async (id) => ({
        ...{ id, kind: trip.kind, key: id, deadlineMs: trip.deadlineMs, restart: false },
        input: await cipher.encrypt(
          tenantId,
          Buffer.from(JSON.stringify(trip.example)),
          inputAad({ id, tenantId }),
        ),
        digest: randomBytes(DIGEST_BYTES),
        traceParent: `00-${id.replaceAll('-', '')}-0000000000000001-01`,
      })),
    );
    const fingerprint = randomBytes(DIGEST_BYTES);
    const request = { tenantId, route: '/jobs', idempotencyKey: undefined, fingerprint, jobs };
    const { items } = await acceptJobs(database, request);
    for (const [index, item] of items.entries()) {
      const id = batch[index];
      if (item.outcome !== 'accepted' || id === undefined)
        throw new Error(`a job was answered ${item.outcome}`);
      const { deadlineAt } = item;
      accepted.push({ id, argument: { jobId: id, tenantId, kind: trip.kind, deadlineAt } });
    }
  }
  return accepted;
}

async function acceptByHand({ owner, tenantId }: Grounds, count: number): Promise<Accepted[]> {
  const ids = Array.from({ length: count }, () => uuidv7());
  await owner.query(
    `insert into bench.jobs (id, tenant_id, kind, natural_key, input, input_digest, deadline_at)
       select id, $2, $3, id::text, '', '', now() + interval '15 minutes' from unnest($1::uuid[]) id`,
    [ids, tenantId, trip.kind],
  );
  return ids.map((id) => ({ id, argument: { id, tenantId, ...trip.example } }));
}

/** Word of ends recorded in PostgreSQL, which costs the contenders nothing they would not do anyway. */
async function hearEnds({ run }: StackUnderBench): Promise<{
  of(id: string, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}> {
  const waiting = new Map<string, () => void>();
  const listening = Promise.withResolvers<void>();
  const listener = listenTo({
    url: run().databaseUrl,
    channel: JOB_ENDS_CHANNEL,
    name: 'longhaul-bench-listen',
    onNotify: (jobId) => (jobId === undefined ? listening.resolve() : waiting.get(jobId)?.()),
    logger: createLogger('bench', 'warn'),
  });
  await listening.promise;
  return {
    async of(id, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const fail = (): void => reject(new Error(`Nothing was heard of the end of ${id}`));
      const timer = setTimeout(fail, SILENCE_MAX_MS);
      signal.addEventListener('abort', fail, { once: true });
      waiting.set(id, resolve);
      try {
        await promise;
      } finally {
        clearTimeout(timer);
        signal.removeEventListener('abort', fail);
        waiting.delete(id);
      }
    },
    close: () => listener.close(),
  };
}

/** Does `work` for every item, `inFlight` at a time; answers what it answered, in the order of the ends. */
async function drive<T, R>(
  items: readonly T[],
  inFlight: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const answers: R[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) answers.push(await work(item));
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return answers;
}

function processesOf({ run }: StackUnderBench, host: Host): () => [string, number][] {
  return () => {
    const { postgres, temporal } = run().pids;
    const named = (name: string, pid: number | null): [string, number][] =>
      pid === null ? [] : [[name, pid]];
    return [
      ['worker', host.pid],
      ...named('postgres', postgres),
      ...(postgres === null ? [] : childrenOf(postgres).map((pid): [string, number] => ['postgres', pid])),
      ...named('temporal', temporal),
      ['client', process.pid],
    ];
  };
}

/** Seconds so far, by name. */
function cpuOf(processes: readonly [string, number][]): Map<string, number> {
  const seconds = new Map<string, number>();
  for (const [name, pid] of processes)
    seconds.set(name, (seconds.get(name) ?? 0) + processorSecondsOf([pid]));
  return seconds;
}

function cpuFigures(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  jobs: number,
): Record<string, number> {
  const perJob = [...after].map(([name, seconds]): [string, number] => [
    `CPU, ${name}`,
    ((seconds - (before.get(name) ?? 0)) * MS_PER_SECOND) / jobs,
  ]);
  const together = perJob.reduce((sum, [, ms]) => sum + ms, 0);
  return { ...Object.fromEntries(perJob), 'CPU, together': together };
}

/** Every workflow closed well, every end recorded, every effect done once; answers what a history holds. */
async function audit(
  { host, name }: EngineContender,
  { engine, owner, stack }: Grounds,
  ids: readonly string[],
  inFlight: number,
): Promise<Record<string, number>> {
  await drive(ids, inFlight, (id) => engine.client.workflow.getHandle(id).result());
  const schema = host === 'saga' ? 'longhaul' : 'bench';
  // Sees every tenant's rows.
  const relay = openDatabase(stack.run().databaseUrl, 'relay', { max: 1, name: 'longhaul-bench-audit' });
  const count = async (on: Database, sql: string): Promise<number> => {
    const { rows } = await on.query<{ count: number }>(sql, [ids]);
    return rows[0]?.count ?? 0;
  };
  try {
    const on = host === 'saga' ? relay : owner;
    const found = {
      ends: await count(
        on,
        `select count(*)::int from ${schema}.jobs where id = any($1) and status = 'SUCCEEDED' and ended_at is not null`,
      ),
      effects: await count(
        on,
        `select count(*)::int from ${schema}.effects where job_id = any($1) and state = 'done'`,
      ),
      seats: await count(owner, 'select count(*)::int from bench.seats where job_id = any($1)'),
    };
    const expected = { ends: ids.length, effects: ids.length * STEPS, seats: ids.length };
    if (JSON.stringify(found) !== JSON.stringify(expected)) {
      throw new Error(`${name}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`);
    }
    const retries = await count(
      on,
      `select (sum(attempt) - count(*))::int as count from ${schema}.effects where job_id = any($1)`,
    );
    return { ...(await historyOf(engine, ids.at(-1)!)), retries };
  } finally {
    await relay.end();
  }
}

async function historyOf(engine: EngineClient, id: string): Promise<Record<string, number>> {
  const { events } = await engine.client.workflow.getHandle(id).fetchHistory();
  const tasks = events?.filter((event) => event.workflowTaskCompletedEventAttributes) ?? [];
  return { events: events?.length ?? 0, 'workflow tasks': tasks.length };
}
