/** What the workflow of a schedule's run and its activities agree on. Pure: the workflow sandbox imports it. */

export const ACCEPT_RUN_ACTIVITY = 'schedule.accept';
export const RUN_ENDED_ACTIVITY = 'schedule.hasEnded';
export const CANCEL_RUN_ACTIVITY = 'schedule.cancel';
/** The job of the run has ended. */
export const ENDED_SIGNAL = 'ended';

export interface ScheduledRun {
  readonly scheduleId: string;
  /** The workflow's id: one for each run. */
  readonly run: string;
  /** RFC 3339. */
  readonly scheduledAt: string;
}

export interface RunningJob {
  readonly scheduleId: string;
  readonly jobId: string;
}

export interface ScheduledRunActivities {
  /** The job that the run made; null where there is none to wait for. The same run again answers the same. */
  [ACCEPT_RUN_ACTIVITY](run: ScheduledRun): Promise<string | null>;
  [RUN_ENDED_ACTIVITY](job: RunningJob): Promise<boolean>;
  [CANCEL_RUN_ACTIVITY](job: RunningJob): Promise<void>;
}
