/**
 * Makes the relay look at once: NOTIFY on a connection of its own, after the commit, at most every 20 ms however many
 * jobs come in. Inside the accepting transactions it would serialise their commits.
 */
import { OUTBOX_CHANNEL } from '../../libs/outbox/listener.js';
import { openDatabase } from '../../libs/store/database.js';
import { queryWithin } from '../../libs/store/timed-query.js';
import type { Logger } from '../../libs/telemetry/logger.js';
import type { Poke } from './api.resources.js';

const EVERY_MS = 20;
const NOTIFY_TIMEOUT_MS = 2_000;

export interface OutboxPoke extends Poke {
  close(): Promise<void>;
}

export function createOutboxPoke(url: string, log: Logger): OutboxPoke {
  const note = (error: unknown): void => log.debug({ err: error }, 'NOTIFY failed; the relay polls anyway');
  const connection = openDatabase(url, 'app', { max: 1, name: 'longhaul-api-notify', onError: note });
  let lastAt = -Infinity;
  let timer: NodeJS.Timeout | undefined;
  let sending = false;
  let again = false;

  const send = (): void => {
    timer = undefined;
    lastAt = performance.now();
    sending = true;
    queryWithin(connection, NOTIFY_TIMEOUT_MS, { text: `notify ${OUTBOX_CHANNEL}` })
      .catch(note)
      .finally(() => {
        sending = false;
        if (again) schedule();
      });
  };
  const schedule = (): void => {
    again = false;
    timer ??= setTimeout(send, Math.max(0, lastAt + EVERY_MS - performance.now()));
  };

  return {
    poke() {
      if (sending) again = true;
      else schedule();
    },
    async close() {
      clearTimeout(timer);
      await connection.end();
    },
  };
}
