/** Prometheus metrics of this process, and the little server they are read from. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { collectDefaultMetrics, Registry } from 'prom-client';

export { Counter, Gauge, Histogram } from 'prom-client';

/** The registry of this process: `new Counter({ …, registers: [registry] })`. Names begin with `longhaul_`. */
export const registry = new Registry();

let defaultsCollected = false;

export interface MetricsServer {
  /** Where Prometheus reads. */
  readonly url: string;
  close(): Promise<void>;
}

/** Serves `GET /metrics` (and `GET /healthz`, 200 while the process lives). Port 0 takes a free one. */
export async function serveMetrics(
  port: number,
  host: string,
  from: Registry = registry,
): Promise<MetricsServer> {
  if (from === registry && !defaultsCollected) {
    collectDefaultMetrics({ register: registry });
    defaultsCollected = true;
  }
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (path === '/healthz') {
      response.writeHead(200, { 'content-type': 'text/plain' }).end('ok\n');
      return;
    }
    if (path !== '/metrics') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('Here is only /metrics and /healthz.\n');
      return;
    }
    from.metrics().then(
      (text) => response.writeHead(200, { 'content-type': from.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}/metrics`,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()));
        server.closeAllConnections();
      }),
  };
}
