/** Follows a job on the terminal until it ends: a block that is drawn over, or plain lines where that is not possible. */
import type { Client } from '../../libs/client/client.js';
import { isTerminal, type Job } from '../../libs/client/job.types.js';
import { renderLive, renderPlain } from './job.view.js';
import { openLiveBlock, type Terminal } from './terminal.js';

/** Without a TTY: a line for every change of state, and no more than one in this time for mere progress. */
const PLAIN_INTERVAL_MS = 1_000;

export interface Followed {
  readonly job: Job;
  /** How many states were seen before the last one. */
  readonly events: number;
}

/** Returns the terminal job, whatever its status. */
export async function followJob(
  client: Client,
  id: string,
  terminal: Terminal,
  options: { signal?: AbortSignal } = {},
): Promise<Followed> {
  const show = terminal.live ? liveView(terminal) : plainView(terminal);
  let events = 0;
  for await (const job of client.watch(id, options)) {
    show(job);
    if (isTerminal(job)) return { job, events };
    events++;
  }
  throw new Error(`The states of job ${id} ended before the job did.`);
}

function liveView(terminal: Terminal): (job: Job) => void {
  const block = openLiveBlock();
  return (job) => block.draw(renderLive(job, terminal.paint));
}

function plainView(terminal: Terminal): (job: Job) => void {
  let lastState = '';
  let lastAt = -Infinity;
  return (job) => {
    const state = [job.status, job.phase, job.progress.message].join('|');
    const now = performance.now();
    if (state === lastState && now - lastAt < PLAIN_INTERVAL_MS && !isTerminal(job)) return;
    terminal.print(renderPlain(job));
    lastState = state;
    lastAt = now;
  };
}
