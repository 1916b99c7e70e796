import { afterEach, beforeEach, expect, it } from 'vitest';
import { createClient, type Client } from '../../../libs/client/client.js';
import type { Job } from '../../../libs/client/job.types.js';
import type { WatchOptions } from '../../../libs/client/watch.js';
import { events, hangUp, jobAt, json, openFaultyApi, problem, type FaultyApi } from './faulty-api.js';

const done = (revision: number): Job => jobAt(revision, { status: 'SUCCEEDED', phase: 'done' });
let api: FaultyApi;
let client: Client;
let sawFirst: PromiseWithResolvers<void>;
let sawSecond: PromiseWithResolvers<void>;

beforeEach(async () => {
  api = await openFaultyApi();
  [sawFirst, sawSecond] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  client = createClient({ url: api.url, key: 'k', retry: { attempts: 4, firstMs: 1, mostMs: 20 } });
});
afterEach(() => api.close());

async function revisionsOf(options: WatchOptions = {}): Promise<number[]> {
  const revisions: number[] = [];
  for await (const job of client.watch('x', options)) {
    revisions.push(Number(job.revision));
    if (job.revision === 2) sawSecond.resolve();
    if (job.revision === 1) sawFirst.resolve();
  }
  return revisions;
}
const connections = (): (string | string[] | undefined)[] =>
  api.seen.filter(({ url }) => url.endsWith('/events')).map(({ headers }) => headers['last-event-id']);

it('yields each state and ends with the terminal one', async () => {
  api.on('GET /jobs/x/events', events([jobAt(1), jobAt(2), done(3)], 'silent'));
  expect(await revisionsOf()).toEqual([1, 2, 3]);
});

it.each(['close', 'cut'] as const)(
  'goes on from the last event when the connection is lost (%s)',
  async (end) => {
    api.on(
      'GET /jobs/x/events',
      events([jobAt(1), jobAt(2)], end, sawSecond.promise),
      events([jobAt(5), done(9)], 'close'),
    );
    expect(await revisionsOf()).toEqual([1, 2, 5, 9]);
    expect(connections()).toEqual([undefined, '2']);
  },
);

it('never goes back to a state it has shown', async () => {
  api.on(
    'GET /jobs/x/events',
    events([jobAt(9), jobAt(10)], 'close'),
    events([jobAt(2), jobAt(10), done(11)], 'close'),
  );
  expect(await revisionsOf()).toEqual([9, 10, 11]);
});

it('takes a silent connection for a dead one', async () => {
  api.on('GET /jobs/x/events', events([jobAt(1)], 'silent'), events([done(2)], 'close'));
  expect(await revisionsOf({ idleTimeoutMs: 50 })).toEqual([1, 2]);
});

it('takes comments for signs of life', async () => {
  api.on('GET /jobs/x/events', (request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    let comments = 0;
    const beat = setInterval(() => {
      response.write(': still here\n\n');
      if (++comments < 26) return;
      clearInterval(beat);
      response.end(`event: job\nid: 2\ndata: ${JSON.stringify(done(2))}\n\n`);
    }, 50);
  });
  expect(await revisionsOf({ idleTimeoutMs: 1_000 })).toEqual([2]);
  expect(connections()).toHaveLength(1);
});

it('polls with the ETag where event streams do not get through', async () => {
  const modes: string[] = [];
  api.on('GET /jobs/x/events', json(200, { not: 'a stream' }));
  api.on(
    'GET /jobs/x',
    json(200, jobAt(1), { etag: '"1"', 'retry-after': '0' }),
    (_, response) => void response.writeHead(304, { etag: '"1"' }).end(),
    json(200, done(2), { etag: '"2"' }),
  );
  expect(await revisionsOf({ onMode: (mode) => modes.push(mode) })).toEqual([1, 2]);
  const polls = api.seen
    .filter(({ url }) => url === '/jobs/x')
    .map(({ headers }) => headers['if-none-match']);
  expect([polls, modes]).toEqual([
    [undefined, '"1"', '"1"'],
    ['events', 'polling'],
  ]);
});

it('polls after three connections in a row without an event', async () => {
  api.on('GET /jobs/x/events', events([jobAt(1)], 'cut', sawFirst.promise), hangUp);
  api.on('GET /jobs/x', json(200, done(2)));
  expect(await revisionsOf()).toEqual([1, 2]);
  expect(connections()).toEqual([undefined, '1', '1', '1']);
});

it('ends with the stored end when it comes back to a stream that is over', async () => {
  api.on(
    'GET /jobs/x/events',
    events([jobAt(1)], 'cut', sawFirst.promise),
    (_, response) => void response.writeHead(204).end(),
  );
  api.on('GET /jobs/x', json(200, done(2)));
  expect(await revisionsOf()).toEqual([1, 2]);
});

it('fails at once for a job that is not there', async () => {
  api.on('GET /jobs/x/events', problem(404, 'job_not_found'));
  await expect(revisionsOf()).rejects.toMatchObject({ code: 'job_not_found' });
  expect(api.seen).toHaveLength(1);
});

it('ends by the reason of the signal, while the stream is silent', async () => {
  const abort = new AbortController();
  api.on('GET /jobs/x/events', events([jobAt(1)], 'silent'));
  const watching = (async () => {
    for await (const job of client.watch('x', { signal: abort.signal }))
      if (job.revision === 1) abort.abort(new Error('seen enough'));
  })();
  await expect(watching).rejects.toThrow('seen enough');
});

it('hangs up when the reader has had enough', async () => {
  let closed = false;
  api.on('GET /jobs/x/events', (request, response) => {
    response.on('close', () => (closed = true));
    return events([jobAt(1)], 'silent')(request, response);
  });
  for await (const job of client.watch('x')) if (job.revision === 1) break;
  await expect.poll(() => closed).toBe(true);
});

it('waits for the end and returns it', async () => {
  api.on('GET /jobs/x/events', events([jobAt(1), jobAt(2, { status: 'FAILED', phase: 'done' })], 'close'));
  expect(await client.wait('x')).toMatchObject({ status: 'FAILED', revision: 2 });
});
