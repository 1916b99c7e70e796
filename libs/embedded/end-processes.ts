/** Ends processes that are no children of ours any more: asked first, then forced. */
import { isRunning, signalProcess, type ProcessIdentity } from './process-identity.js';

/** A process of the stack, as it is written down for whoever has to end it. */
export interface RecordedProcess extends ProcessIdentity {
  /** As in `postgres`, `api`, `worker reports-io`. */
  readonly name: string;
  /** `server`: what the others need, so it ends after them. */
  readonly tier: 'app' | 'server';
  /** Asks it to end. */
  readonly stopSignal: NodeJS.Signals;
  /** Makes it end. */
  readonly killSignal: NodeJS.Signals;
}

export interface EndOptions {
  readonly appGraceMs: number;
  readonly serverGraceMs: number;
}

const POLL_MS = 25;
const FORCED_WAIT_MS = 5_000;

/** Ends the apps, then the servers; answers the names of those that even the kill signal did not end. */
export async function endProcesses(
  processes: readonly RecordedProcess[],
  options: EndOptions,
): Promise<string[]> {
  const apps = await endTier(
    processes.filter((process) => process.tier === 'app'),
    options.appGraceMs,
  );
  const servers = await endTier(
    processes.filter((process) => process.tier === 'server'),
    options.serverGraceMs,
  );
  return [...apps, ...servers];
}

async function endTier(tier: readonly RecordedProcess[], graceMs: number): Promise<string[]> {
  for (const process of tier) signalProcess(process, process.stopSignal);
  const late = await stillRunningAfter(tier, graceMs);
  // A stopped (SIGSTOP) process takes no polite signal, and some kill signals neither until it goes on.
  for (const process of late) {
    signalProcess(process, process.killSignal);
    signalProcess(process, 'SIGCONT');
  }
  const stubborn = await stillRunningAfter(late, FORCED_WAIT_MS);
  for (const process of stubborn) signalProcess(process, 'SIGKILL');
  return (await stillRunningAfter(stubborn, FORCED_WAIT_MS)).map((process) => process.name);
}

async function stillRunningAfter(
  tier: readonly RecordedProcess[],
  waitMs: number,
): Promise<RecordedProcess[]> {
  const giveUpAt = performance.now() + waitMs;
  let running = tier.filter(isRunning);
  while (running.length > 0 && performance.now() < giveUpAt) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    running = running.filter(isRunning);
  }
  return running;
}
