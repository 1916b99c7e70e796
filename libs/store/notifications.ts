/**
 * LISTEN, as a mere accelerator: what makes things correct is looking again by and by, so nothing depends on this
 * connection; it comes back by itself when it is lost.
 */
import pg from 'pg';
import type { Logger } from 'pino';
import { backoffMs } from '../outbox/backoff.js';

const CONNECT_TIMEOUT_MS = 3_000;
const RECONNECT = { firstMs: 500, mostMs: 10_000 };

export interface Listener {
  close(): Promise<void>;
}

export interface ListenOptions {
  readonly url: string;
  /** A plain lower-case name. */
  readonly channel: string;
  /** Shown in pg_stat_activity. */
  readonly name: string;
  /** Called with what the notification carries, and with nothing once it listens (again): something may have been missed. */
  readonly onNotify: (payload: string | undefined) => void;
  readonly logger: Logger;
}

/** Calls `onNotify` for each notification on the channel, until closed. */
export function listenTo({ url, channel, name, onNotify, logger }: ListenOptions): Listener {
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
      application_name: name,
      keepAlive: true,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    });
    client = fresh;
    fresh.on('error', (error) => reconnectLater(fresh, error));
    fresh.on('end', () => reconnectLater(fresh));
    fresh.on('notification', ({ payload }) => onNotify(payload));
    fresh
      .connect()
      .then(() => fresh.query(`listen ${channel}`))
      .then(() => {
        failures = 0;
        onNotify(undefined);
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
