/**
 * Endpoints for the bench `fanout`, each a path: answers 204 at once and counts. Prints its URL; `GET /counts` says what
 * came since it was last asked; ends on SIGTERM.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

let deliveries = 0;
let seen = new Set<string>();

const server = createServer((request, response) => {
  if (request.method === 'GET') {
    response.end(JSON.stringify({ deliveries, distinct: seen.size }));
    deliveries = 0;
    seen = new Set();
    return;
  }
  request.resume();
  request.on('end', () => {
    deliveries += 1;
    seen.add(`${request.url} ${String(request.headers['webhook-id'])}`);
    response.writeHead(204).end();
  });
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
process.once('SIGTERM', () => process.exit(0));
