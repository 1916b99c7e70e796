/**
 * The workflows' state, shared by all readers: one query a job is in flight at a time, its answer serves everyone
 * for 500 ms, nobody waits longer than 300 ms, and after three misses in a row the job is not asked for 5 s.
 */
import { Injectable } from '@nestjs/common';
import { stateQueries } from '../api.metrics.js';
import { ApiResources } from '../api.resources.js';
import { QueriedState } from './state.schema.js';

export interface Answered {
  readonly state: QueriedState;
  /** When it was true. */
  readonly at: Date;
}

interface Entry {
  answered: (Answered & { readonly until: number }) | undefined;
  flight: { readonly settled: Promise<void>; readonly since: number; missed: boolean } | undefined;
  misses: number;
  leftOutUntil: number;
}

const SERVES_MS = 500;
const WAIT_MS = 300;
const MISSES_MAX = 3;
const LEFT_OUT_MS = 5_000;
const JOBS_MAX = 10_000;
/** Over all jobs: beyond it readers get the stored state rather than a queue at the engine. */
const FLIGHTS_MAX = 200;

@Injectable()
export class StateQueries {
  private readonly entries = new Map<string, Entry>();
  private flights = 0;

  constructor(private readonly resources: ApiResources) {}

  /** The job's state by its workflow; undefined when it does not say in time. */
  async read(tenantId: string, jobId: string): Promise<Answered | undefined> {
    const entry = this.entryOf(jobId);
    const fresh = this.freshOf(entry);
    if (fresh) return fresh;
    if (entry.leftOutUntil > performance.now()) return undefined;
    const flight = entry.flight ?? this.takeOff(entry, tenantId, jobId);
    if (!flight || flight.missed) return undefined;
    const left = WAIT_MS - (performance.now() - flight.since);
    await waitAtMost(flight.settled, left);
    const answered = this.freshOf(entry);
    if (!answered) this.miss(entry, flight);
    return answered;
  }

  /** An answer that somebody else's question brought a moment ago; asks nothing. */
  peek(jobId: string): Answered | undefined {
    const entry = this.entries.get(jobId);
    return entry && this.freshOf(entry);
  }

  private freshOf(entry: Entry): Answered | undefined {
    return entry.answered && entry.answered.until > performance.now() ? entry.answered : undefined;
  }

  private entryOf(jobId: string): Entry {
    const there = this.entries.get(jobId);
    const entry = there ?? { answered: undefined, flight: undefined, misses: 0, leftOutUntil: 0 };
    this.entries.delete(jobId);
    this.entries.set(jobId, entry);
    const oldest = this.entries.keys().next();
    if (this.entries.size > JOBS_MAX && !oldest.done) this.entries.delete(oldest.value);
    return entry;
  }

  private takeOff(entry: Entry, tenantId: string, jobId: string): Entry['flight'] {
    if (this.flights >= FLIGHTS_MAX) return undefined;
    this.flights += 1;
    const settled = this.resources.engine
      .queryState(tenantId, jobId)
      .then((answer) => {
        const state = QueriedState.parse(answer);
        entry.answered = { state, at: new Date(), until: performance.now() + SERVES_MS };
        if (!flight.missed) entry.misses = 0;
        stateQueries.inc({ outcome: 'answered' });
      })
      .catch((error: unknown) => {
        // The reader shows the stored state and says that it is stale; the log keeps the reason.
        this.resources.log.debug({ err: error, jobId }, 'a state query had no answer');
        this.miss(entry, flight);
      })
      .finally(() => {
        this.flights -= 1;
        if (entry.flight === flight) entry.flight = undefined;
      });
    const flight = { settled, since: performance.now(), missed: false };
    entry.flight = flight;
    return flight;
  }

  /** Counts a flight's failure once, however many wait for it. */
  private miss(entry: Entry, flight: { missed: boolean }): void {
    if (flight.missed) return;
    flight.missed = true;
    stateQueries.inc({ outcome: 'missed' });
    entry.misses += 1;
    if (entry.misses < MISSES_MAX) return;
    entry.misses = 0;
    entry.leftOutUntil = performance.now() + LEFT_OUT_MS;
  }
}

async function waitAtMost(promise: Promise<void>, ms: number): Promise<void> {
  if (ms <= 0) return;
  let timer: NodeJS.Timeout | undefined;
  const time = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([promise, time]);
  clearTimeout(timer);
}
