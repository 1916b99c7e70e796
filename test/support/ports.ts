/** Ports for servers that tests start. */
import { createServer, type AddressInfo } from 'node:net';

/** A port nobody listens on at this moment, from the range the system gives away: two tests rarely get the same. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
