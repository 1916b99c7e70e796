/**
 * The usual alternative in the bench `fanout`: a BullMQ worker, a job a delivery. Adds the jobs, event by event, and
 * works on them in the same process; prints the milliseconds from the first added to the last delivered.
 */
import { readFileSync } from 'node:fs';
import { Queue, Worker } from 'bullmq';
import { openSender, type Task } from './deliveries.js';

const task = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Task;
const connection = { host: '127.0.0.1', port: Number(process.env.BENCH_REDIS_PORT) };
const sender = openSender(task);
const total = task.events * task.endpoints.length;
const done = Promise.withResolvers<void>();
let delivered = 0;

const queue = new Queue<{ id: string; endpoint: number }>('fanout', { connection });
const worker = new Worker<{ id: string; endpoint: number }>(
  'fanout',
  async ({ data }) => sender.send(data.id, data.endpoint),
  { connection, concurrency: task.atOnce },
);
worker.on('completed', () => {
  if (++delivered === total) done.resolve();
});
worker.on('failed', (_, error) => done.reject(error));
await worker.waitUntilReady();

const startedAt = performance.now();
for (let event = 0; event < task.events; event++) {
  const jobs = task.endpoints.map((_, endpoint) => ({
    name: 'deliver',
    data: { id: `msg_${event}`, endpoint },
    opts: { attempts: 10, removeOnComplete: true },
  }));
  await queue.addBulk(jobs);
}
await done.promise;
process.stdout.write(String(performance.now() - startedAt));
await worker.close();
await queue.close();
await sender.close();
