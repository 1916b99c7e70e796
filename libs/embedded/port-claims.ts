/** Ports given out to servers that do not listen yet: between our look and their listening lie seconds. */
import { createServer, type Server } from 'node:net';

export interface PortClaims {
  /** Claims a port for this process; false where another stack that is starting or running has it. */
  take(port: number): Promise<boolean>;
  /** Gives all of them back. The death of the process does so too. */
  release(): Promise<void>;
}

/**
 * Claims that hold against other stacks on this machine. A claim is a socket with an abstract name (Linux): it lives
 * as long as its process, in the same network namespace as the port, and leaves no file. Elsewhere claims hold
 * within this process only.
 */
export function openPortClaims(): PortClaims {
  const claimed = new Map<number, Server | undefined>();
  return {
    async take(port) {
      if (claimed.has(port)) return false;
      if (process.platform !== 'linux') {
        claimed.set(port, undefined);
        return true;
      }
      const socket = await listen(`\0longhaul-port-${port}`);
      if (socket) claimed.set(port, socket);
      return socket !== undefined;
    },
    async release() {
      const sockets = [...claimed.values()].filter((socket) => socket !== undefined);
      claimed.clear();
      await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.close(resolve))));
    },
  };
}

function listen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((connection) => connection.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen({ path }, () => resolve(server.unref()));
  });
}
