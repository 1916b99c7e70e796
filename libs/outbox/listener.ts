/** A notification makes the relay look at once; it looks by itself, too. */
import type { Logger } from 'pino';
import { listenTo, type Listener } from '../store/notifications.js';

/** `notify longhaul_outbox` after rows were committed; never inside the accepting transaction under load. */
export const OUTBOX_CHANNEL = 'longhaul_outbox';

/** Calls `onNotify` for each notification on the outbox's channel, until closed. */
export function listenToOutbox(url: string, onNotify: () => void, logger: Logger): Listener {
  return listenTo({ url, channel: OUTBOX_CHANNEL, name: 'longhaul-relay-listen', onNotify, logger });
}
