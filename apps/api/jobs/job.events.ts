/** Server-sent events for one job. A slow client costs one pending state, never a growing buffer. */
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ServerResponse } from 'node:http';
import { openStreams } from '../api.metrics.js';
import { traceOf } from '../http/trace.js';
import { Problem } from '../problems/problem.js';
import { isTerminal, type Job } from './job.schema.js';
import { JobWatcher } from './job.watcher.js';

const COMMENT_EVERY_MS = 15_000;
/** A client that took nothing for so long is gone, whatever its connection says. */
const STUCK_MAX_MS = 60_000;
const STREAMS_MAX = 5_000;
const RECONNECT_MS = 1_000;
const RETRY_AFTER_SECONDS = '5';

@Injectable()
export class JobEvents implements OnModuleDestroy {
  private readonly streams = new Set<EventStream>();

  constructor(private readonly watcher: JobWatcher) {}

  /** Takes over the reply and streams the job from here on; `seen` is the revision the client has, or 0. */
  open(request: FastifyRequest, reply: FastifyReply, tenantId: string, job: Job, seen: number): void {
    if (this.streams.size >= STREAMS_MAX) {
      throw new Problem('too_many_streams', `This process serves ${STREAMS_MAX} event streams already.`, {
        headers: { 'retry-after': RETRY_AFTER_SECONDS },
      });
    }
    reply.hijack();
    const response = reply.raw;
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-trace-id': traceOf(request).traceId,
    });
    const stream = new EventStream(response);
    this.streams.add(stream);
    openStreams.set(this.streams.size);
    const stop = this.watcher.follow(tenantId, job.id, Math.max(seen, job.revision), (newer) =>
      stream.send(newer),
    );
    response.once('close', () => {
      stop();
      stream.dispose();
      this.streams.delete(stream);
      openStreams.set(this.streams.size);
    });
    if (job.revision > seen) stream.send(job);
  }

  onModuleDestroy(): void {
    for (const stream of this.streams) stream.end();
  }
}

/** One connection: holds at most the newest state that the client has not taken yet. */
class EventStream {
  private pending: Job | undefined;
  private ended = false;
  private stuckSince: number | undefined;
  private readonly pulse: NodeJS.Timeout;

  constructor(private readonly response: ServerResponse) {
    // The headers go out at once, and a reader knows that it is connected.
    response.write(`retry: ${RECONNECT_MS}\n\n`);
    response.on('drain', () => this.flush());
    this.pulse = setInterval(() => this.comment(), COMMENT_EVERY_MS);
  }

  send(job: Job): void {
    if (this.ended) return;
    this.pending = job;
    if (!this.response.writableNeedDrain) this.flush();
    else this.stuckSince ??= performance.now();
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.dispose();
    this.response.end();
    // Whoever has not read the rest by now is not waited for at shutdown.
    if (this.response.writableNeedDrain) this.response.destroy();
  }

  dispose(): void {
    clearInterval(this.pulse);
  }

  private flush(): void {
    this.stuckSince = undefined;
    const job = this.pending;
    if (!job || this.ended) return;
    this.pending = undefined;
    this.response.write(`event: job\nid: ${job.revision}\ndata: ${JSON.stringify(job)}\n\n`);
    if (!isTerminal(job)) return;
    this.ended = true;
    this.dispose();
    this.response.end();
  }

  private comment(): void {
    if (this.response.writableNeedDrain) {
      this.stuckSince ??= performance.now();
      if (performance.now() - this.stuckSince > STUCK_MAX_MS) this.response.destroy();
      return;
    }
    this.response.write(': still here\n\n');
  }
}
