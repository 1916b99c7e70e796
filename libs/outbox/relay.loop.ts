/** The relay's loop: batch after batch while there is work, slower while there is none, backing off from trouble. */
import type { Logger } from 'pino';
import { backoffMs, type Backoff } from './backoff.js';
import { dispatchBatch, type BatchResult, type Dispatcher } from './dispatcher.js';

export interface LoopPace {
  /** Between looks right after there was something. */
  readonly busyMs: number;
  /** Between looks when there was nothing for a while. */
  readonly idleMs: number;
  /** After the engine or the database was found away. */
  readonly trouble: Backoff;
  readonly probeTimeoutMs: number;
}

export const LOOP_PACE: LoopPace = {
  busyMs: 100,
  idleMs: 1_000,
  trouble: { firstMs: 200, mostMs: 5_000 },
  probeTimeoutMs: 2_000,
};

const IDLE_GROWTH = 1.5;

export interface RelayLoop {
  /** Look at once, unless backing off. */
  wake(): void;
  /** Ends after the batch in hand. */
  stop(): Promise<void>;
}

/** What a loop sends: all that starts and cancels, or (a second loop, so that neither waits for the other) decisions. */
export interface LoopWork {
  readonly dispatch: (dispatcher: Dispatcher) => Promise<BatchResult>;
  /** Of several loops one shows whether engine and database are up. */
  readonly showsHealth: boolean;
}

const JOBS: LoopWork = { dispatch: dispatchBatch, showsHealth: true };

/** Starts the loop; it never ends by itself, whatever fails. */
export function startRelayLoop(
  dispatcher: Dispatcher,
  pace: LoopPace = LOOP_PACE,
  work: LoopWork = JOBS,
): RelayLoop {
  const { logger, metrics } = dispatcher;
  const shows = (gauge: 'engineUp' | 'databaseUp') => (up: boolean) => {
    if (work.showsHealth) metrics[gauge].set(up ? 1 : 0);
  };
  const engineHealth = createHealth('The engine', logger, shows('engineUp'));
  const databaseHealth = createHealth('The database', logger, shows('databaseUp'));
  const sleeper = createSleeper();
  let stopped = false;
  let idleMs = pace.busyMs;

  const turn = async (): Promise<number> => {
    try {
      // While the engine is away no rows are locked for it: a cancel must be able to end them.
      if (engineHealth.failures() > 0) await probe(dispatcher, pace.probeTimeoutMs);
    } catch (error) {
      engineHealth.failed(error);
      return sleeper.trouble(backoffMs(pace.trouble, engineHealth.failures()));
    }
    try {
      const { claimed, sent, engineAway, awayError } = await work.dispatch(dispatcher);
      databaseHealth.worked();
      if (engineAway) {
        engineHealth.failed(awayError);
        return sleeper.trouble(backoffMs(pace.trouble, engineHealth.failures()));
      }
      // Only what got through shows that the engine is there; an empty outbox shows nothing.
      if (sent > 0 || engineHealth.failures() > 0) engineHealth.worked();
      idleMs = claimed > 0 ? pace.busyMs : Math.min(pace.idleMs, idleMs * IDLE_GROWTH);
      return claimed >= dispatcher.limits.batchSizeMax ? 0 : idleMs;
    } catch (error) {
      databaseHealth.failed(error);
      return sleeper.trouble(backoffMs(pace.trouble, databaseHealth.failures()));
    }
  };

  const done = (async () => {
    while (!stopped) {
      const waitMs = await turn();
      if (!stopped && waitMs > 0) await sleeper.sleep(waitMs);
    }
  })();

  return {
    wake: () => sleeper.wake(),
    stop: async () => {
      stopped = true;
      sleeper.end();
      await done;
    },
  };
}

/** Asks the engine for our namespace; throws while it cannot be used. */
async function probe({ engine }: Dispatcher, timeoutMs: number): Promise<void> {
  await engine.connection.withDeadline(Date.now() + timeoutMs, () =>
    engine.connection.workflowService.describeNamespace({ namespace: engine.namespace }),
  );
}

interface Health {
  /** Failures in a row. */
  failures(): number;
  failed(error: unknown): void;
  worked(): void;
}

/** Says once that something went away, and once that it came back. */
function createHealth(what: string, logger: Logger, show: (up: boolean) => void): Health {
  let failures = 0;
  show(true);
  return {
    failures: () => failures,
    failed: (error) => {
      failures += 1;
      if (failures > 1) return;
      show(false);
      logger.warn({ err: error }, `${what} cannot be used; outbox rows stay until it is back`);
    },
    worked: () => {
      if (failures > 0) logger.info({ failures }, `${what} is back`);
      failures = 0;
      show(true);
    },
  };
}

interface Sleeper {
  sleep(ms: number): Promise<void>;
  /** The next sleep is one that only `end` cuts short. */
  trouble(ms: number): number;
  wake(): void;
  end(): void;
}

function createSleeper(): Sleeper {
  let wakeUp: (() => void) | undefined;
  let woken = false;
  let deaf = false;
  let ended = false;
  return {
    trouble: (ms) => {
      deaf = true;
      return ms;
    },
    sleep: async (ms) => {
      if (ended || (woken && !deaf)) {
        woken = false;
        return;
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        wakeUp = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      wakeUp = undefined;
      woken = false;
      deaf = false;
    },
    wake: () => {
      woken = true;
      if (!deaf) wakeUp?.();
    },
    end: () => {
      ended = true;
      wakeUp?.();
    },
  };
}
