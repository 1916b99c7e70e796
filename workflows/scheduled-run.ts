/**
 * What the engine's schedules start: a run's job is accepted like any other, and its end awaited, so that a run that is
 * still going on counts for the overlap policy. It is no saga: what it does is one accepted job.
 */
import {
  CancellationScope,
  condition,
  defineSignal,
  isCancellation,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import {
  ACCEPT_RUN_ACTIVITY,
  CANCEL_RUN_ACTIVITY,
  ENDED_SIGNAL,
  RUN_ENDED_ACTIVITY,
  type ScheduledRunActivities,
} from '../libs/schedules/scheduled-run.js';

/** It is told of the end; it looks by itself as well, but seldom. */
const LOOK = '1 hour';

const activities = proxyActivities<ScheduledRunActivities>({
  startToCloseTimeout: '30s',
  retry: { initialInterval: '1s', maximumInterval: '1m' },
});

export async function scheduledRun(): Promise<void> {
  const { workflowId, searchAttributes, startTime } = workflowInfo();
  const [scheduleId = ''] = workflowId.split('/');
  const [planned] = (searchAttributes['TemporalScheduledStartTime'] ?? []) as Date[];
  let isOver = false;
  setHandler(defineSignal(ENDED_SIGNAL), () => void (isOver = true));
  const run = { scheduleId, run: workflowId, scheduledAt: (planned ?? startTime).toISOString() };
  const jobId = await CancellationScope.nonCancellable(() => activities[ACCEPT_RUN_ACTIVITY](run));
  if (jobId === null) return;
  const job = { scheduleId, jobId };

  const untilTheEnd = async (): Promise<void> => {
    while (!isOver) {
      if (!(await condition(() => isOver, LOOK))) isOver = await activities[RUN_ENDED_ACTIVITY](job);
    }
  };
  try {
    await untilTheEnd();
  } catch (error) {
    if (!isCancellation(error)) throw error;
    // Another run takes its place (`cancelOther`), once this one's job has ended.
    await CancellationScope.nonCancellable(async () => {
      await activities[CANCEL_RUN_ACTIVITY](job);
      await untilTheEnd();
    });
  }
}
