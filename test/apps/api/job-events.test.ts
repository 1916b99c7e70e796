import type { FastifyReply, FastifyRequest } from 'fastify';
import { EventEmitter } from 'node:events';
import { afterEach, expect, test, vi } from 'vitest';
import { JobEvents } from '../../../apps/api/jobs/job.events.js';
import type { Job } from '../../../apps/api/jobs/job.schema.js';
import type { Follower, JobWatcher } from '../../../apps/api/jobs/job.watcher.js';

/** A connection whose client reads only when told. */
class SlowResponse extends EventEmitter {
  written: string[] = [];
  writableNeedDrain = false;
  ended = false;

  writeHead(): this {
    return this;
  }
  write(text: string): boolean {
    if (this.writableNeedDrain) throw new Error('written to a client that does not read');
    this.written.push(text);
    return true;
  }
  end(): void {
    this.ended = true;
  }
  destroy(): void {
    this.ended = true;
    this.emit('close');
  }
  stopReading(): void {
    this.writableNeedDrain = true;
  }
  readOn(): void {
    this.writableNeedDrain = false;
    this.emit('drain');
  }
}

function setup(): {
  response: SlowResponse;
  tell: (job: Job) => void;
  events: JobEvents;
  followers: Set<Follower>;
} {
  const followers = new Set<Follower>();
  const watcher = {
    follow: (_tenant: string, _id: string, _seen: number, follower: Follower) => {
      followers.add(follower);
      return () => followers.delete(follower);
    },
  } as unknown as JobWatcher;
  const response = new SlowResponse();
  const events = new JobEvents(watcher);
  const reply = { raw: response, hijack: () => undefined } as unknown as FastifyReply;
  events.open({ raw: {}, headers: {} } as FastifyRequest, reply, 'tenant', jobAt(1), 0);
  return { response, events, followers, tell: (job) => followers.forEach((follower) => follower(job)) };
}

function jobAt(revision: number, status: Job['status'] = 'STARTED'): Job {
  return { id: 'x', revision, status } as Job;
}

const idsOf = (response: SlowResponse): string[] =>
  response.written.flatMap((text) => /^id: (\d+)$/m.exec(text)?.[1] ?? []);

test('a client that does not read gets the newest state when it reads on, and nothing piles up', () => {
  const { response, tell, events } = setup();
  response.stopReading();
  for (let revision = 2; revision <= 1_000; revision += 1) tell(jobAt(revision));
  expect(idsOf(response)).toEqual(['1']);
  response.readOn();
  expect(idsOf(response)).toEqual(['1', '1000']);
  events.onModuleDestroy();
});

test('the end reaches a slow client, too, and then the stream ends', () => {
  const { response, tell } = setup();
  response.stopReading();
  tell(jobAt(2));
  tell(jobAt(3, 'SUCCEEDED'));
  expect(response.ended).toBe(false);
  response.readOn();
  expect(idsOf(response)).toEqual(['1', '3']);
  expect(response.ended).toBe(true);
});

test('a client that went away is followed no longer, and shutdown ends the others', () => {
  const gone = setup();
  gone.response.emit('close');
  expect(gone.followers.size).toBe(0);
  const there = setup();
  there.events.onModuleDestroy();
  expect(there.response.ended).toBe(true);
});

afterEach(() => vi.useRealTimers());

test('a comment comes every 15 s, and a client stuck for over a minute is cut off', () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  const { response, followers } = setup();
  const comments = (): number => response.written.filter((text) => text.startsWith(':')).length;
  vi.advanceTimersByTime(14_999);
  expect(comments()).toBe(0);
  vi.advanceTimersByTime(30_001);
  expect(comments()).toBe(3);
  response.stopReading();
  vi.advanceTimersByTime(60_000);
  expect(response.ended).toBe(false);
  vi.advanceTimersByTime(30_000);
  expect(response.ended).toBe(true);
  expect(followers.size).toBe(0);
});
