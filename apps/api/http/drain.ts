/**
 * The end of a server: what is under way is finished, within a grace. Node closes connections that had a request once
 * and are idle now; one that was opened in advance and never used would hold up the end for a minute.
 */
import type { Server } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

const LOOK_EVERY_MS = 20;

export interface Drain {
  /** Resolves when nothing is under way any more, or `graceMs` are over; then no connection is left. */
  finish(closing: Promise<void>, graceMs: number): Promise<void>;
}

/** Counts requests from now on. */
export function trackRequests(server: Server): Drain {
  let underWay = 0;
  server.on('request', (_request, response) => {
    underWay += 1;
    response.once('close', () => (underWay -= 1));
  });
  return {
    async finish(closing, graceMs) {
      let closed = false;
      const end = closing.finally(() => (closed = true));
      const until = performance.now() + graceMs;
      while (!closed && performance.now() < until && (server.listening || underWay > 0))
        await delay(LOOK_EVERY_MS);
      server.closeAllConnections();
      await end;
    },
  };
}
