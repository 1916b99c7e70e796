/**
 * The baseline of the bench `engine`: the same trip as a team that knows Temporal writes it by hand. Undo registered
 * before the step, compensation shielded from cancel, the end recorded by an activity, a query for the state. What it
 * leaves out is what the engine is for: doubt, fences, probes, parking, the deadline, the commit point.
 */
import { CancellationScope, defineQuery, proxyActivities, setHandler } from '@temporalio/workflow';
import type { HandWrittenActivities, TripByHand } from './hand-written.activities.js';

/** Beside the workflows' own queue, as the saga has it: steps of a pool, hosted by workers of that pool. */
export const HAND_WRITTEN_IO_QUEUE = 'by-hand-io';

const RETRY = { maximumAttempts: 6, initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '30s' };

export interface Variant {
  /** Of the steps; without one they run where the workflow runs, and the server may start them at once (eagerly). */
  readonly taskQueue?: string;
  /** Whether the start is an activity of its own; else it is recorded with the first claim, in the same transaction. */
  readonly startApart: boolean;
}

const stateQuery = defineQuery<string>('state');

/** The workflow function of a variant. */
export function tripWorkflow({ taskQueue, startApart }: Variant): (job: TripByHand) => Promise<unknown> {
  const steps = proxyActivities<HandWrittenActivities>({
    ...(taskQueue === undefined ? {} : { taskQueue }),
    startToCloseTimeout: '60s',
    retry: RETRY,
  });
  const records = proxyActivities<HandWrittenActivities>({ startToCloseTimeout: '30s' });

  return async (job) => {
    let state = 'started';
    setHandler(stateQuery, () => state);
    const undos: (() => Promise<void>)[] = [];
    try {
      if (startApart) await records.recordStart(job.id);
      undos.unshift(() => steps.release(job.id));
      state = 'reserve';
      await steps.reserve(job, !startApart);
      state = 'charge';
      const charge = await steps.charge(job);
      undos.length = 0;
      state = 'ticket';
      await steps.ticket(job);
      await records.recordEnd(job.id, 'SUCCEEDED', { charge });
      return { charge };
    } catch (error) {
      state = 'compensating';
      await CancellationScope.nonCancellable(async () => {
        for (const undo of undos) await undo();
        await records.recordEnd(job.id, 'FAILED');
      });
      throw error;
    }
  };
}
