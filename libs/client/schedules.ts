/** `client.schedules`: jobs that are asked for again and again. */
import { randomUUID } from 'node:crypto';
import type { CallOptions } from './client.js';
import type { Job } from './job.types.js';
import type { Schedule, ScheduleWish } from './schedule.types.js';
import type { Call, Transport } from './transport.js';
import type { Pages } from './webhooks.js';

type PageOptions = CallOptions & { readonly pageSize?: number | undefined };

export interface Schedules {
  /** Not repeated when the answer is lost. */
  create(wish: ScheduleWish, options?: CallOptions): Promise<Schedule>;
  /** All, the newest first; pages are fetched as the loop reaches them. */
  list(options?: PageOptions): AsyncGenerator<Schedule, void>;
  /** One, with its next runs where the engine says. */
  get(id: string, options?: CallOptions): Promise<Schedule>;
  /** Changes what is named: `{paused: true}` pauses it. */
  change(id: string, change: Partial<ScheduleWish>, options?: CallOptions): Promise<Schedule>;
  /** No run begins any more; those that have begun go on. */
  remove(id: string, options?: CallOptions): Promise<void>;
  /** Runs it now, beside its plan; the job. */
  trigger(id: string, options?: CallOptions): Promise<Job>;
  /** The jobs it made, the newest first. */
  jobs(id: string, options?: PageOptions): AsyncGenerator<Job, void>;
}

export function createSchedules(transport: Transport, pages: Pages): Schedules {
  const pathOf = (id: string, tail = ''): string => `/schedules/${encodeURIComponent(id)}${tail}`;
  const call = async <R>(request: Call): Promise<R> => (await transport.call(request)).body as R;

  return {
    create: (wish, { signal } = {}) =>
      call({ method: 'POST', path: '/schedules', body: wish, signal, isOnce: true }),
    list: ({ signal, pageSize } = {}) => pages('/schedules', { limit: pageSize }, signal),
    get: (id, { signal } = {}) => call({ method: 'GET', path: pathOf(id), signal }),
    change: (id, change, { signal } = {}) =>
      call({ method: 'PATCH', path: pathOf(id), body: change, signal }),
    remove: (id, { signal } = {}) => call({ method: 'DELETE', path: pathOf(id), signal }),
    trigger: (id, { signal } = {}) =>
      call({
        method: 'POST',
        path: pathOf(id, '/trigger'),
        headers: { 'idempotency-key': randomUUID() },
        signal,
      }),
    jobs: (id, { signal, pageSize } = {}) => pages(pathOf(id, '/jobs'), { limit: pageSize }, signal),
  };
}
