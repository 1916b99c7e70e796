/**
 * A program of its own, started by the supervisor: it outlives it, and when the supervisor is gone without a word
 * (SIGKILL, out of memory) it ends what the supervisor ran, so that nothing is orphaned. It is told by lines of
 * JSON on its standard input: `{"watch": RecordedProcess}`, `{"forget": pid}`, `{"done": true}`. The end of the
 * input without `done` is the supervisor's death.
 */
import { createInterface } from 'node:readline';
import { endProcesses, type RecordedProcess } from './end-processes.js';

export type GuardMessage =
  { readonly watch: RecordedProcess } | { readonly forget: number } | { readonly done: true };

const APP_GRACE_MS = 10_000;
const SERVER_GRACE_MS = 10_000;

// The guard has a session of its own; these come only from somebody who means every process of the stack.
process.on('SIGINT', () => undefined);
process.on('SIGHUP', () => undefined);

const watched = new Map<number, RecordedProcess>();
for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line) as GuardMessage;
  if ('done' in message) process.exit(0);
  if ('watch' in message) watched.set(message.watch.pid, message.watch);
  else watched.delete(message.forget);
}
const left = await endProcesses([...watched.values()], {
  appGraceMs: APP_GRACE_MS,
  serverGraceMs: SERVER_GRACE_MS,
});
process.exit(left.length === 0 ? 0 : 1);
