/** Waits, within a bound, until everything has come to rest. */
import { sleep } from '../../libs/client/backoff.js';
import type { EngineWitness } from './evidence.engine.js';
import type { Counts } from './evidence.store.js';
import { readArtifactFolder } from './evidence.artifacts.js';

/** Longer than the longest series of retries of a step and its undo, and what a job takes beside others. */
const DRAIN_BASE_MS = 240_000;
const DRAIN_PER_JOB_MS = 600;
/** The relay sweeps a minute after it starts, what is a minute old: what a killed worker left in the store. */
const SWEEP_WAIT_MS = 180_000;
const POLL_MS = 500;

export interface Rest {
  readonly isReached: boolean;
  readonly tookMs: number;
}

/** How long the drain may take. */
export function drainLimitMs(jobs: number): number {
  return DRAIN_BASE_MS + jobs * DRAIN_PER_JOB_MS;
}

/** Until every job has ended or is stuck, the outbox is empty and no workflow runs. */
export async function drain(
  what: {
    readonly counts: () => Counts | undefined;
    readonly engine: EngineWitness;
    /** Jobs that stay parked whatever is decided: they are not waited for. */
    readonly stuck: () => number;
    /** How many jobs clients were told of: counts that know fewer are old. */
    readonly jobs: number;
    readonly limitMs: number;
  },
  signal: AbortSignal,
): Promise<Rest> {
  const startedAt = performance.now();
  for (;;) {
    const counts = what.counts();
    const tookMs = performance.now() - startedAt;
    const stuck = what.stuck();
    if (counts && counts.jobs >= what.jobs && counts.ended + stuck === counts.jobs && counts.unsent === 0) {
      const running = await what.engine.list('running').catch(() => undefined); // away still: asked again
      if (running !== undefined && running.length <= stuck) return { isReached: true, tookMs };
    }
    if (tookMs > what.limitMs) return { isReached: false, tookMs };
    await sleep(POLL_MS, signal);
  }
}

/** Until nothing half-done lies in the store of artifacts. */
export async function waitForSweep(
  root: string,
  limitMs: number | undefined,
  signal: AbortSignal,
): Promise<Rest> {
  const startedAt = performance.now();
  for (;;) {
    const { uploads, trash } = await readArtifactFolder(root);
    const tookMs = performance.now() - startedAt;
    if (uploads.length + trash.length === 0) return { isReached: true, tookMs };
    if (tookMs > (limitMs ?? SWEEP_WAIT_MS)) return { isReached: false, tookMs };
    await sleep(POLL_MS, signal);
  }
}
