/** The bare loop of the bench `fanout`: reads a task's file, delivers, prints the milliseconds it took. */
import { readFileSync } from 'node:fs';
import { openSender, type Task } from './deliveries.js';

const task = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Task;
const sender = openSender(task);
const total = task.events * task.endpoints.length;
let next = 0;

async function lane(): Promise<void> {
  while (next < total) {
    const at = next++;
    await sender.send(`msg_${Math.floor(at / task.endpoints.length)}`, at % task.endpoints.length);
  }
}

const startedAt = performance.now();
await Promise.all(Array.from({ length: task.atOnce }, lane));
process.stdout.write(String(performance.now() - startedAt));
await sender.close();
