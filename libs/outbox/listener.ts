/**
 * LISTEN, as a mere accelerator: a notification makes the relay look at once. What makes it correct is polling, so
 * nothing depends on this connection; it comes back by itself when it is lost.
 */
import pg from 'pg';
import type { Logger } from 'pino';
import { backoffMs } from './backoff.js';

/** `notify longhaul_outbox` after rows were committed; never inside the accepting transaction under load. */
export const OUTBOX_CHANNEL = 'longhaul_outbox';
const CONNECT_TIMEOUT_MS = 3_000;
const RECONNECT = { firstMs: 500, mostMs: 10_000 };

export interface Listener {
  close(): Promise<void>;
}

/** Calls `onNotify` for each notification on the outbox's channel, until closed. */
export function listenToOutbox(url: string, onNotify: () => void, logger: Logger): Listener {
  let client: pg.Client | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let failures = 0;

  const reconnectLater = (lost: pg.Client, error?: unknown): void => {
    if (client !== lost) return;
    client = undefined;
    // A client that failed may hold a socket still; what its end says changes nothing.
    void lost.end().catch((endError: unknown) => logger.debug({ err: endError }, 'LISTEN: end failed'));
    if (closed) return;
    failures += 1;
    logger.debug({ ...(error === undefined ? {} : { err: error }), failures }, 'LISTEN was lost');
    timer = setTimeout(connect, backoffMs(RECONNECT, failures));
  };

  const connect = (): void => {
    const fresh = new pg.Client({
      connectionString: url,
      application_name: 'longhaul-relay-listen',
      keepAlive: true,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    });
    client = fresh;
    fresh.on('error', (error) => reconnectLater(fresh, error));
    fresh.on('end', () => reconnectLater(fresh));
    fresh.on('notification', onNotify);
    fresh
      .connect()
      .then(() => fresh.query(`listen ${OUTBOX_CHANNEL}`))
      .then(() => {
        failures = 0;
        onNotify(); // what was notified while nobody listened
      })
      .catch((error: unknown) => reconnectLater(fresh, error));
  };
  connect();

  return {
    close: async () => {
      closed = true;
      clearTimeout(timer);
      const last = client;
      client = undefined;
      await last?.end();
    },
  };
}
