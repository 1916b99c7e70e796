/** Ports for the embedded stack: the one asked for or none; else the one of last time, else a free one. */
import { createServer } from 'node:net';
import { randomInt } from 'node:crypto';
import type { PortClaims } from './port-claims.js';
import { StackError } from './stack-error.js';

/** Below the ports that systems give to outgoing connections, so that no such connection is in our way later. */
const FREE_PORT_MIN = 20_000;
const FREE_PORT_MAX = 31_999;
const TRIES_MAX = 50;

export interface PortWish {
  /** What it is for, as a person says it: `the API`. */
  readonly purpose: string;
  readonly host: string;
  /** Asked for by name: taken is an error, which names `variable`. */
  readonly asked?: { readonly port: number; readonly variable: string } | undefined;
  /** Nice to have: in this order. */
  readonly preferred?: readonly (number | undefined)[];
  /** Takes the port in the moment it is found free; a port that is claimed already counts as taken. */
  readonly claims: PortClaims;
}

export class PortTakenError extends StackError {
  constructor(
    readonly port: number,
    message: string,
  ) {
    super(message);
    this.name = 'PortTakenError';
  }
}

/** A port that nobody listens on, claimed. Throws {@link PortTakenError} when the one asked for is taken. */
export async function choosePort(wish: PortWish): Promise<number> {
  const { asked, host, purpose, claims } = wish;
  if (asked) {
    if (!(await isFree(asked.port, host)) || !(await claims.take(asked.port))) {
      throw new PortTakenError(
        asked.port,
        `Port ${asked.port} on ${host}, asked for by ${asked.variable} for ${purpose}, is taken by another program. ` +
          `Stop that one, choose another port (${asked.variable}=…), or leave ${asked.variable} out and a free one is taken.`,
      );
    }
    return asked.port;
  }
  const random = Array.from({ length: TRIES_MAX }, () => randomInt(FREE_PORT_MIN, FREE_PORT_MAX + 1));
  for (const port of [...(wish.preferred ?? []), ...random]) {
    if (port !== undefined && (await isFree(port, host)) && (await claims.take(port))) return port;
  }
  throw new Error(
    `No free port for ${purpose} between ${FREE_PORT_MIN} and ${FREE_PORT_MAX} after ${TRIES_MAX} tries.`,
  );
}

/** Whether one could listen there now. Throws for a host that is not ours, or a port that needs privileges. */
export function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(new StackError(`Cannot listen on ${host}:${port}: ${error.message}`, { cause: error }));
    });
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
