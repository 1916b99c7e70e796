/** Watches a run from the database's side: how far it is, and every end as it was first seen. */
import { sleep } from '../../libs/client/backoff.js';
import type { Database } from '../../libs/store/database.js';
import type { SeenEnd } from './evidence.js';
import { countJobs, endsSince, type Counts } from './evidence.store.js';

export interface Observer {
  /** The latest counts; undefined until the first. */
  counts(): Counts | undefined;
  /** Whether the database did not answer at the last look. */
  isBlind(): boolean;
  ends(): readonly SeenEnd[];
  /** Settles when the last look is over. */
  stop(): Promise<void>;
}

const EVERY_MS = 1_000;
/** Ends are stamped by the transaction's begin and seen after its commit: looks overlap by this much. */
const OVERLAP_MS = 30_000;

/** Begins to watch. */
export function observe(database: Database): Observer {
  const stopped = new AbortController();
  const ends = new Map<string, SeenEnd>();
  let counts: Counts | undefined;
  let blind = false;
  let since = new Date(0);

  async function look(): Promise<void> {
    const from = since;
    const before = new Date(Date.now() - OVERLAP_MS);
    counts = await countJobs(database);
    for (const end of await endsSince(database, from)) {
      // The first sight stands: the audit compares it with what is there at the end.
      if (!ends.has(end.jobId)) ends.set(end.jobId, end);
    }
    since = before;
  }

  const done = (async () => {
    while (!stopped.signal.aborted) {
      blind = await look().then(
        () => false,
        () => true, // stopped or frozen by the plan; shown to whoever watches
      );
      await sleep(EVERY_MS, stopped.signal).catch(() => undefined);
    }
  })();
  return {
    counts: () => counts,
    isBlind: () => blind,
    ends: () => [...ends.values()],
    stop: async () => {
      stopped.abort();
      await done;
    },
  };
}
