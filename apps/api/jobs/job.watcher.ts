/**
 * The one watcher of this process: looks after every job that somebody follows, a few times a second, one round trip
 * a tenant, and tells the followers of each newer revision. It never queues: a follower gets the newest state only.
 */
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { watchedJobs } from '../api.metrics.js';
import { ApiResources } from '../api.resources.js';
import { JobReader } from './job.reader.js';
import { isTerminal, type Job } from './job.schema.js';

export type Follower = (job: Job) => void;

interface Watched {
  readonly tenantId: string;
  readonly followers: Set<Follower>;
  revision: number;
}

/** Five looks a second: progress is stored four times a second a step. */
const LOOK_EVERY_MS = 200;
const JOBS_A_READ_MAX = 500;
const LOG_FAILURE_EVERY_MS = 10_000;

@Injectable()
export class JobWatcher implements OnModuleDestroy {
  private readonly watched = new Map<string, Watched>();
  private readonly closing = new AbortController();
  private looking: Promise<void> | undefined;
  private isCalled = false;
  private call: (() => void) | undefined;
  private lastFailureLoggedAt = -Infinity;

  constructor(
    private readonly resources: ApiResources,
    private readonly reader: JobReader,
  ) {}

  /** Calls `follower` with each revision newer than `seen`; returns how to stop. The caller stops at the end. */
  follow(tenantId: string, jobId: string, seen: number, follower: Follower): () => void {
    const watched = this.watched.get(jobId) ?? { tenantId, followers: new Set(), revision: seen };
    // A newcomer that knows less than the others is told at the next look.
    watched.revision = Math.min(watched.revision, seen);
    let known = seen;
    const filtered: Follower = (job) => {
      if (job.revision <= known) return;
      known = job.revision;
      follower(job);
    };
    watched.followers.add(filtered);
    this.watched.set(jobId, watched);
    watchedJobs.set(this.watched.size);
    this.looking ??= this.lookWhileFollowed();
    return () => {
      watched.followers.delete(filtered);
      if (watched.followers.size === 0 && this.watched.get(jobId) === watched) this.watched.delete(jobId);
      watchedJobs.set(this.watched.size);
    };
  }

  /** The job once it has ended; undefined when time is up, `signal` aborts or the process shuts down first. */
  async waitForEnd(
    tenantId: string,
    job: Job,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<Job | undefined> {
    if (isTerminal(job)) return job;
    const { promise, resolve } = Promise.withResolvers<Job | undefined>();
    const over = AbortSignal.any([signal, this.closing.signal, AbortSignal.timeout(waitMs)]);
    const giveUp = (): void => resolve(undefined);
    over.addEventListener('abort', giveUp, { once: true });
    if (over.aborted) giveUp();
    const stop = this.follow(tenantId, job.id, job.revision, (newer) => {
      if (isTerminal(newer)) resolve(newer);
    });
    try {
      return await promise;
    } finally {
      stop();
      over.removeEventListener('abort', giveUp);
    }
  }

  /** Looks at once, if anybody follows this job: it is said to have ended. */
  lookNow(jobId: string): void {
    if (!this.watched.has(jobId)) return;
    this.isCalled = true;
    this.call?.();
  }

  async onModuleDestroy(): Promise<void> {
    this.closing.abort();
    this.watched.clear();
    await this.looking;
  }

  private async lookWhileFollowed(): Promise<void> {
    while (this.watched.size > 0 && !this.closing.signal.aborted) {
      const began = performance.now();
      this.isCalled = false;
      await this.look().catch((error: unknown) => this.logFailure(error));
      const rest = Math.max(0, LOOK_EVERY_MS - (performance.now() - began));
      if (!this.isCalled) await this.pause(rest);
    }
    this.looking = undefined;
  }

  private async pause(ms: number): Promise<void> {
    const called = new AbortController();
    this.call = () => called.abort();
    const signal = AbortSignal.any([this.closing.signal, called.signal]);
    await delay(ms, undefined, { signal }).catch(ignoreAbort);
    this.call = undefined;
  }

  private async look(): Promise<void> {
    const byTenant = Map.groupBy([...this.watched], ([, { tenantId }]) => tenantId);
    for (const [tenantId, jobs] of byTenant) {
      for (let start = 0; start < jobs.length; start += JOBS_A_READ_MAX) {
        const ids = jobs.slice(start, start + JOBS_A_READ_MAX).map(([id]) => id);
        const readings = await this.reader.readMany(tenantId, ids, true);
        for (const [id, { job }] of readings) this.tell(id, job);
      }
    }
  }

  private tell(id: string, job: Job): void {
    const watched = this.watched.get(id);
    if (!watched || job.revision <= watched.revision) return;
    watched.revision = job.revision;
    for (const follower of [...watched.followers]) {
      try {
        follower(job);
      } catch (error) {
        this.resources.log.error({ err: error, jobId: id }, 'a follower failed');
      }
    }
  }

  /** The database is away: followers keep what they have, and the log says so now and then. */
  private logFailure(error: unknown): void {
    if (performance.now() - this.lastFailureLoggedAt < LOG_FAILURE_EVERY_MS) return;
    this.lastFailureLoggedAt = performance.now();
    this.resources.log.warn({ err: error, jobs: this.watched.size }, 'the watcher cannot read');
  }
}

function ignoreAbort(error: unknown): void {
  if (!(error instanceof Error && error.name === 'AbortError')) throw error;
}
