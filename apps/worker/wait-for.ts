/** Waits at boot for what is not up yet. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../libs/telemetry/logger.js';

const RETRY_FIRST_MS = 200;
const RETRY_MOST_MS = 5_000;

/** Tries until `attempt` succeeds or `signal` is aborted (then it throws); says once in a while what it waits for. */
export async function waitFor<R>(
  what: string,
  attempt: () => Promise<R>,
  { logger, signal }: { readonly logger: Logger; readonly signal: AbortSignal },
): Promise<R> {
  for (let waitMs = RETRY_FIRST_MS; ; waitMs = Math.min(waitMs * 2, RETRY_MOST_MS)) {
    try {
      return await attempt();
    } catch (error) {
      logger.warn({ err: error, retryInMs: waitMs }, `${what} is not there yet; waiting for it`);
      await sleep(waitMs, undefined, { signal });
    }
  }
}
