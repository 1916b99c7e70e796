/** The hand-written trip's activities: each claims its effect before it acts and records it done after. */
import { inTransaction, type Database } from '../../libs/store/database.js';
import { tellJobEnd } from '../../libs/store/job-ends.js';
import { claim, complete, finish, start, undone, type Effect } from './hand-written.store.js';
import { createProvider, giveSeatBack, takeSeat, type Provider } from './trip.js';

export interface TripByHand {
  readonly id: string;
  readonly tenantId: string;
  readonly trip: string;
  readonly seat: string;
  readonly cents: number;
}

export interface HandWrittenActivities {
  recordStart(jobId: string): Promise<void>;
  recordEnd(jobId: string, status: 'SUCCEEDED' | 'FAILED', result?: object): Promise<void>;
  /** `isFirst`: records the job's start, too. */
  reserve(job: TripByHand, isFirst: boolean): Promise<void>;
  release(jobId: string): Promise<void>;
  charge(job: TripByHand): Promise<string>;
  ticket(job: TripByHand): Promise<void>;
}

/** How a result is encrypted before it is stored. */
export type SealResult = (jobId: string, result: object) => Promise<Buffer>;

export function createHandWrittenActivities(database: Database, seal: SealResult): HandWrittenActivities {
  const [cards, mails] = [createProvider('ch'), createProvider('mail')];

  /** Claim → call under the key → done. */
  async function once(effect: Effect, provider: Provider): Promise<string> {
    const earlier = await claim(database, effect);
    if (earlier) return earlier.outcome as string;
    const outcome = await provider.call(`${effect.jobId}/${effect.step}`);
    await complete(database, effect, outcome);
    return outcome;
  }

  return {
    recordStart: (jobId) => start(database, jobId),
    async recordEnd(jobId, status, result) {
      await finish(database, jobId, status, result && (await seal(jobId, result)));
      tellJobEnd(database, jobId);
    },
    reserve: ({ id, tenantId, seat }, isFirst) =>
      inTransaction(database, async (connection) => {
        const effect: Effect = { jobId: id, tenantId, step: 'reserve', seq: 1, undo: 'release' };
        if (await claim(connection, effect)) return;
        if (isFirst) await start(connection, id);
        await takeSeat(connection, id, seat);
        await complete(connection, effect, null);
      }),
    release: (jobId) =>
      inTransaction(database, async (connection) => {
        await giveSeatBack(connection, jobId);
        await undone(connection, jobId, 'reserve');
      }),
    charge: ({ id, tenantId }) => once({ jobId: id, tenantId, step: 'charge', seq: 2 }, cards),
    async ticket({ id, tenantId }) {
      await once({ jobId: id, tenantId, step: 'ticket', seq: 3 }, mails);
    },
  };
}
