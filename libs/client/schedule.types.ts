/** Schedules as the API shows them. */

export type ScheduleOverlap = 'skip' | 'bufferOne' | 'bufferAll' | 'allowAll' | 'cancelOther';

/** What an owner sets of a schedule. */
export interface ScheduleWish {
  readonly kind: string;
  /** Of each run's job; `{{scheduledAt}}`, `{{date}}`, `{{month}}` and `{{unixSeconds}}` stand for what differs. */
  readonly input: unknown;
  /** Five fields: `30 6 * * MON-FRI`. */
  readonly cron: string;
  /** IANA; by default UTC. */
  readonly timeZone?: string | undefined;
  /** By default `skip`. */
  readonly overlap?: ScheduleOverlap | undefined;
  readonly catchUpWindowSeconds?: number | undefined;
  readonly paused?: boolean | undefined;
  readonly note?: string | null | undefined;
  /** Where each run's end is told. */
  readonly callback?: { readonly url: string } | null | undefined;
}

export interface Schedule {
  readonly id: string;
  readonly kind: string;
  readonly input: unknown;
  readonly cron: string;
  readonly timeZone: string;
  readonly overlap: ScheduleOverlap;
  readonly catchUpWindowSeconds: number;
  readonly paused: boolean;
  readonly note: string | null;
  readonly callback: { readonly url: string } | null;
  /** The engine knows of the last change. */
  readonly inSync: boolean;
  /** Null in lists, and where the engine does not say. */
  readonly nextRuns: readonly string[] | null;
  /** Why the last run made no job. */
  readonly lastError: { readonly at: string; readonly code: string; readonly detail: string } | null;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly links: { readonly self: string; readonly jobs: string; readonly trigger: string };
}
