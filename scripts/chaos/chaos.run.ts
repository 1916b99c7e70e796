/** The course of a run: start, ask and disturb, drain, audit, stop. */
import { sleep } from '../../libs/client/backoff.js';
import type { Client } from '../../libs/client/client.js';
import type { RecordedProcess } from '../../libs/embedded/end-processes.js';
import { isRunning, signalProcess } from '../../libs/embedded/process-identity.js';
import { openDatabase, type Database } from '../../libs/store/database.js';
import { drain, drainLimitMs, waitForSweep, type Rest } from './drain.js';
import { openEngineWitness, type EngineWitness } from './evidence.engine.js';
import type { Counts } from './evidence.store.js';
import { carryOut, type Hit } from './faults.js';
import { judge, type Judgement } from './judge.js';
import type { ChaosKind } from './kinds/kind.js';
import { observe, type Observer } from './observer.js';
import { startOperator } from './operator.js';
import { planOf, type Plan } from './plan.js';
import { findProcess, recordedProcesses, workerNames } from './processes.js';
import { makeChaosHome, removeChaosHome, startStackUnderChaos, type StackUnderChaos } from './stack.js';
import { startSubmitting, stubbornClient, type Asked } from './submitting.js';
import { openTenants, TENANTS } from './tenants.js';
import type { Violation } from './violation.js';

export interface ChaosOptions {
  readonly seed: number;
  readonly jobs: number;
  readonly everyMs: number;
  readonly faultEveryMs: number | undefined;
  readonly kinds: readonly ChaosKind[];
  readonly keep: boolean;
  readonly signal: AbortSignal;
  readonly on: ChaosEvents;
}

/** What whoever watches is told. */
export interface ChaosEvents {
  stage(text: string): void;
  plan(plan: Plan): void;
  hit(hit: Hit, afterMs: number): void;
  progress(counts: Counts | undefined, about: { asked: number; hits: number; blind: boolean }): void;
}

export interface ChaosResult extends Judgement {
  readonly plan: Plan;
  readonly home: string;
  readonly counts: Counts | undefined;
  readonly hits: readonly Hit[];
  readonly asked: readonly Asked[];
  /** What the operator decided. */
  readonly decisions: Readonly<Record<string, number>>;
  readonly drained: Rest;
  /** How long what killed workers left in the store was there after the drain. */
  readonly swept: Rest;
}

const PROGRESS_EVERY_MS = 2_000;
const CONNECTIONS_MAX = 3;
const QUERY_TIMEOUT_MS = 10_000;
const GONE_WAIT_MS = 10_000;

/** Runs it. Whatever happens, nothing runs on afterwards, and the home is removed unless it is to be kept. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { on, keep } = options;
  const home = makeChaosHome();
  try {
    const added = Object.assign(
      {},
      ...options.kinds.map((kind) => kind.environment?.(home) ?? {}),
    ) as NodeJS.ProcessEnv;
    on.stage('Starting PostgreSQL, Temporal, API, relay and workers');
    const stack = await startStackUnderChaos(home, added, options.signal);
    const everyone: RecordedProcess[] = [];
    let result: ChaosResult;
    try {
      result = await withGone(stack, options.signal, (signal) => runOn(stack, { ...options, signal }));
    } finally {
      on.stage('Stopping');
      everyone.push(...recordedProcesses(stack.home));
      await stack.stop();
      for (const kind of options.kinds) await kind.close?.();
    }
    return { ...result, violations: [...result.violations, ...(await stillThere(everyone))] };
  } finally {
    if (!keep) removeChaosHome(home);
  }
}

/** Ends the work when the stack ends by itself. */
async function withGone<R>(
  stack: StackUnderChaos,
  asked: AbortSignal,
  work: (signal: AbortSignal) => Promise<R>,
): Promise<R> {
  const gone = new AbortController();
  void stack.gone.then((why) => gone.abort(new Error(why)));
  return work(AbortSignal.any([asked, gone.signal]));
}

async function runOn(stack: StackUnderChaos, options: ChaosOptions): Promise<ChaosResult> {
  const { run } = stack;
  const database = openDatabase(run.databaseUrl, 'relay', {
    max: CONNECTIONS_MAX,
    name: 'longhaul-chaos',
    queryTimeoutMs: QUERY_TIMEOUT_MS,
  });
  // The relay's role may write; an auditor must not. A connection that breaks here fails its next query, too.
  database.on('connect', (connection) => {
    connection.query('set default_transaction_read_only = on').catch(() => undefined);
  });
  const engine = openEngineWitness(run.temporal);
  const observer = observe(database);
  try {
    return await disturbAndJudge(stack, { database, engine, observer }, options);
  } finally {
    await observer.stop();
    await Promise.all([database.end(), engine.close()]);
  }
}

interface Tools {
  readonly database: Database;
  readonly engine: EngineWitness;
  readonly observer: Observer;
}

async function disturbAndJudge(
  stack: StackUnderChaos,
  { database, engine, observer }: Tools,
  options: ChaosOptions,
): Promise<ChaosResult> {
  const { on, kinds } = options;
  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal]);
  const clients = await openTenants(stack);
  for (const kind of kinds) await kind.prepare?.(stack);
  const clientOf = (tenant: string): Client => mustHave(clients.get(tenant), tenant);
  const plan = planOf({ ...options, workers: workerNames(), tenants: TENANTS });
  on.plan(plan);

  const operator = startOperator(stubbornClient(stack.run.api, stack.run.keys.operator), kinds);
  const startedAt = performance.now();
  const hits: Hit[] = [];
  const submitting = startSubmitting(plan, clientOf, signal);
  const disturbing = carryOut(
    plan.faults,
    stack.home,
    (hit) => {
      hits.push(hit);
      on.hit(hit, performance.now() - startedAt);
    },
    signal,
  );
  const tell = (): void =>
    on.progress(observer.counts(), {
      asked: submitting.asked.length,
      hits: hits.length,
      blind: observer.isBlind(),
    });
  const ticker = setInterval(tell, PROGRESS_EVERY_MS);
  try {
    await Promise.all([submitting.done, disturbing]);
    on.stage('All is asked for and all faults are over; waiting for the rest');
    const jobs = new Set(submitting.asked.flatMap(({ answers }) => answers.map(({ jobId }) => jobId))).size;
    const limitMs = drainLimitMs(plan.jobs.length);
    const toRest = { counts: () => observer.counts(), stuck: () => operator.stuck(), engine, jobs, limitMs };
    const drained = await drain(toRest, signal);
    tell();
    const swept = await sweepUp(stack, on, signal);
    on.stage('Auditing');
    const { asked } = submitting;
    const known = { asked, seenEnds: observer.ends() };
    const judgement = await judge({ database, engine, stack, clientOf, kinds }, known);
    if (!drained.isReached)
      judgement.violations.unshift({
        rule: 'everything comes to rest',
        detail: `not within ${limitMs / 1000} s`,
      });
    return {
      plan,
      home: stack.home.root,
      counts: observer.counts(),
      hits,
      asked,
      decisions: operator.decisions(),
      drained,
      swept,
      ...judgement,
    };
  } finally {
    clearInterval(ticker);
    await operator.stop();
    over.abort(new Error('The run is over.'));
    // What was begun ends before the stack does; its failure has been told already.
    await Promise.allSettled([submitting.done, disturbing]);
  }
}

/** What a killed worker left in the store is the relay's to sweep: it is started anew, so that it does so soon. */
async function sweepUp(stack: StackUnderChaos, on: ChaosEvents, signal: AbortSignal): Promise<Rest> {
  const now = await waitForSweep(stack.home.artifacts, 0, signal);
  if (now.isReached) return now;
  on.stage('Something half-done lies in the store: waiting for the relay to sweep it');
  const relay = findProcess(stack.home, 'relay');
  if (relay) signalProcess(relay, relay.stopSignal);
  return waitForSweep(stack.home.artifacts, undefined, signal);
}

async function stillThere(processes: readonly RecordedProcess[]): Promise<Violation[]> {
  for (const until = performance.now() + GONE_WAIT_MS; performance.now() < until; await sleep(100)) {
    if (!processes.some(isRunning)) return [];
  }
  return processes.filter(isRunning).map(({ name, pid }) => ({
    rule: 'no process is left',
    detail: `${name} (pid ${pid}) runs after the stack has stopped`,
  }));
}

function mustHave<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`There is no "${name}".`);
  return value;
}
