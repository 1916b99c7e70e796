/** Does to the stack's processes what the plan says. */
import { sleep } from '../../libs/client/backoff.js';
import type { Home } from '../../libs/embedded/home.js';
import { signalProcess } from '../../libs/embedded/process-identity.js';
import type { Fault } from './plan.js';
import { findProcess, freeze } from './processes.js';

/** What came of a fault: how many signals it took, none where the process was not there to be hit. */
export interface Hit {
  readonly fault: Fault;
  readonly signals: number;
}

/** A process that is just being restarted is waited for so long. */
const PRESENT_WAIT_MS = 10_000;
const POLL_MS = 25;

/** Carries all of them out, each at its time; settles when the last is over and everything runs on. */
export async function carryOut(
  faults: readonly Fault[],
  home: Home,
  onHit: (hit: Hit) => void,
  signal: AbortSignal,
): Promise<void> {
  const startedAt = performance.now();
  const running: Promise<void>[] = [];
  try {
    for (const fault of faults) {
      await sleep(Math.max(0, startedAt + fault.atMs - performance.now()), signal);
      const one = hit(fault, home, signal).then((signals) => onHit({ fault, signals }));
      one.catch(() => undefined); // heard of below, when all are begun
      running.push(one);
    }
    await Promise.all(running);
  } finally {
    // Frozen processes are thawed before anybody is told that this is over.
    await Promise.allSettled(running);
  }
}

async function hit(fault: Fault, home: Home, signal: AbortSignal): Promise<number> {
  const { act, target, forMs } = fault;
  const first = await waitFor(home, target, signal);
  if (first === undefined) return 0;
  if (act === 'kill') return signalProcess(first, 'SIGKILL') ? 1 : 0;
  if (act === 'freeze') {
    const thaw = freeze(first);
    // Thawed whatever happens: nobody else would.
    await sleep(forMs, signal).finally(thaw);
    return 1;
  }
  // The supervisor starts it again at once, so it is ended again until the time is over.
  let signals = 0;
  let last: number | undefined;
  for (const until = performance.now() + forMs; performance.now() < until; await sleep(POLL_MS, signal)) {
    const there = findProcess(home, target);
    if (there === undefined || there.pid === last) continue;
    last = there.pid;
    if (signalProcess(there, act === 'crash' ? 'SIGKILL' : there.stopSignal)) signals += 1;
  }
  return signals;
}

async function waitFor(
  home: Home,
  target: string,
  signal: AbortSignal,
): Promise<ReturnType<typeof findProcess>> {
  for (
    const until = performance.now() + PRESENT_WAIT_MS;
    performance.now() < until;
    await sleep(POLL_MS, signal)
  ) {
    const there = findProcess(home, target);
    if (there !== undefined) return there;
  }
  return undefined;
}
