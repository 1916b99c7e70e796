/** Work that comes round: one at a time, a while after the last one ended, by one relay of several. */
import type { Logger } from 'pino';
import type { Database } from '../store/database.js';

export interface Round {
  readonly name: string;
  readonly firstAfterMs: number;
  readonly everyMs: number;
  readonly work: () => Promise<void>;
}

export interface Schedule {
  /** Begins no further round, and waits for the one in hand. */
  stop(): Promise<void>;
}

/** Runs `work` again and again until stopped; a failure is logged and the next round comes as usual. */
export function startSchedule({ name, firstAfterMs, everyMs, work }: Round, logger: Logger): Schedule {
  let stopped = false;
  let cut: (() => void) | undefined;
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      cut = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  const done = (async () => {
    await pause(firstAfterMs);
    while (!stopped) {
      await work().catch((error: unknown) => logger.warn({ round: name, err: error }, 'A round failed'));
      if (!stopped) await pause(everyMs);
    }
  })();
  return {
    stop: async () => {
      stopped = true;
      cut?.();
      await done;
    },
  };
}

/**
 * Runs `work` unless another process does this very moment: an advisory lock, held by a connection of its own and
 * so released by whatever ends the process. Answers whether it ran.
 */
export async function onlyOne(database: Database, name: string, work: () => Promise<void>): Promise<boolean> {
  const connection = await database.connect();
  let broken: Error | boolean = false;
  try {
    const { rows } = await connection.query<{ locked: boolean }>(
      `select pg_try_advisory_lock(hashtextextended($1, 0)) as locked`,
      [`longhaul/${name}`],
    );
    if (rows[0]?.locked !== true) return false;
    // The lock goes with the connection, so the connection must not go back to the pool with the lock.
    broken = true;
    await work();
    await connection.query(`select pg_advisory_unlock(hashtextextended($1, 0))`, [`longhaul/${name}`]);
    broken = false;
    return true;
  } finally {
    connection.release(broken);
  }
}
