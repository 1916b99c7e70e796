/** Ports for servers that tests start. */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below what systems give to outgoing connections and what `longhaul up` takes: nobody else picks from here. */
const PORT_MIN = 11_000;
const PORT_MAX = 19_999;
const TRIES_MAX = 50;

/** A port nobody listens on. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const port = randomInt(PORT_MIN, PORT_MAX + 1);
    if (await isFree(port)) return port;
  }
  throw new Error(`No free port between ${PORT_MIN} and ${PORT_MAX} after ${TRIES_MAX} tries`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
