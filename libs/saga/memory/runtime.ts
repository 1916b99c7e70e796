/** The runtime in memory: what a Temporal server does for a series of attempts, on a virtual clock. */
import { attempt } from '../attempt/attempt.js';
import { backoffMs } from '../backoff.js';
import { travelled } from '../attempt/context.js';
import type { Host, Kind, StopSignal, World } from '../attempt/world.js';
import { workerLost } from '../failure.js';
import type { JobRef } from '../implement.js';
import { rulingClaimOf } from '../attempt/ruling.js';
import type { RecalledPage, Request, Settled, Verdict } from '../protocol.js';
import type { Call, Running, Runtime } from '../runtime.js';
import type { SagaState } from '../state.js';
import type { VirtualClock } from './clock.js';
import { MemorySignal } from './signal.js';

export interface MemoryRuntimeOptions {
  readonly kind: Kind;
  readonly job: JobRef;
  readonly world: World;
  readonly clock: VirtualClock;
  /** For the interpreter's own waits. */
  readonly random: () => number;
  readonly changed: (state: SagaState) => void;
  /** After how many series of attempts a run's history is long. Default: it never is. */
  readonly continueAfter?: number | undefined;
  /** How long an attempt waits for a worker, in milliseconds. Default: it begins at once. */
  readonly queuedMs?: ((request: Request) => number) | undefined;
  /** Where an attempt runs, if its worker can be lost. */
  readonly hosting?: (request: Request) => Hosting;
}

/** A worker, for one attempt. */
export interface Hosting {
  /** What the attempt reaches of the world; nothing any more once it is lost. */
  readonly world: World;
  /** Of the attempt's signal. */
  readonly openController: () => AbortController;
  /** What the attempt reports, or `lost` when the worker is lost first: then it will never report. */
  hear(reporting: Promise<Verdict>): Promise<Verdict | 'lost'>;
}

/** Of what is no holder: nobody waits for it. */
const NEVER_READY = new Promise<never>(() => undefined);

export function createMemoryRuntime(options: MemoryRuntimeOptions): Runtime {
  const { world, clock, job, continueAfter = Infinity } = options;
  let started = 0;
  return {
    now: () => clock.now(),
    random: options.random,
    sleep: (ms) => clock.sleep(ms),
    timer(ms) {
      const { promise: elapsed, resolve } = Promise.withResolvers<void>();
      const disarm = clock.timer(ms, resolve);
      const cancel = (): void => {
        disarm();
        resolve();
      };
      return { elapsed, cancel };
    },
    // No job in memory is older than its code.
    patched: () => true,
    start(call) {
      started += 1;
      return startSeries(call, options);
    },
    isHistoryLong: () => started >= continueAfter,
    recall: async (request) => travelled(await world.ledger.recall(job, request)) as RecalledPage,
    park: (letter) => world.ledger.park(job, letter),
    unpark: (unparking) => world.ledger.unpark(job, unparking),
    rule: (request) => world.ledger.rule(rulingClaimOf(options.kind.definition, job, request)),
    finish: async (end) => void (await world.ledger.finish(job, end)),
    changed: options.changed,
  };
}

function startSeries(call: Call, options: MemoryRuntimeOptions): Running {
  const signal = new MemorySignal();
  const holding = call.step.holds ? Promise.withResolvers<unknown>() : undefined;
  // Its args are the author's; the rest is text and numbers, which come out of JSON as they went in.
  const request: Request =
    call.request.role === 'step' ? { ...call.request, args: travelled(call.request.args) } : call.request;
  return {
    settled: runSeries({ request, step: call.step }, signal, holding?.resolve, options),
    ready: holding?.promise ?? NEVER_READY,
    cancel: () => signal.abort(),
  };
}

async function runSeries(
  { request, step }: Pick<Call, 'request' | 'step'>,
  signal: StopSignal,
  onReady: ((output: unknown) => void) | undefined,
  { kind, world: ordinary, clock, hosting, queuedMs }: MemoryRuntimeOptions,
): Promise<Settled> {
  const isDoubtful = step.effect !== 'none';
  // Between attempts no attempt says what those before have done.
  const calledOff = { kind: 'cancelled', doubt: isDoubtful } as const;
  for (let number = 1; ; number++) {
    // The scheduling takes a turn, as it does through a server: nothing acts in the very moment it is asked for.
    await Promise.resolve();
    const waitMs = queuedMs?.(request) ?? 0;
    if (waitMs > 0) await clock.sleep(waitMs, signal);
    if (signal.aborted) return calledOff;
    const worker = hosting?.(request);
    const host: Host = {
      attempt: number,
      signal,
      isCancelled: () => signal.aborted,
      heartbeat: () => undefined,
      ready: async ({ output }) => onReady?.(output),
      ...(worker ? { openController: worker.openController } : {}),
    };
    const reporting = attempt(kind, request, host, worker?.world ?? ordinary);
    const verdict = await (worker ? worker.hear(reporting) : reporting);
    if (verdict === 'lost') {
      await clock.sleep(step.heartbeatMs);
      // As on a server: who was asked to end and is lost is not tried again.
      if (signal.aborted || number >= request.attemptsMax)
        return { kind: 'failed', failure: workerLost(isDoubtful ? 'unknown' : 'no'), doubt: isDoubtful };
      const { retry, undoRetry } = step;
      await clock.sleep(backoffMs(request.role === 'undo' ? undoRetry : retry, number, 1), signal);
      if (signal.aborted) return calledOff;
      continue;
    }
    switch (verdict.kind) {
      case 'done':
        return verdict;
      case 'deferred':
        return {
          kind: 'deferred',
          deferMs: verdict.deferMs,
          doubt: verdict.doubt,
          attempts: verdict.attempt,
        };
      case 'cancelled':
        return { kind: 'cancelled', doubt: verdict.doubt, attempts: verdict.attempt };
      case 'failed': {
        const { failure, doubt, attempt: attempts, retryInMs } = verdict;
        if (retryInMs === undefined || signal.aborted) return { kind: 'failed', failure, doubt, attempts };
        await clock.sleep(retryInMs, signal);
        if (signal.aborted) return calledOff;
      }
    }
  }
}
