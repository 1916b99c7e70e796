/** /jobs: submitting, reading, listing. */
import { Controller, Get, Param, Post, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { validate as isUuid } from 'uuid';
import { ApiResources } from '../api.resources.js';
import { Door } from '../http/door.decorator.js';
import { readPage } from '../http/page.js';
import { bodyOf, tenantOf } from '../http/request.js';
import { traceOf } from '../http/trace.js';
import { ZodPipe } from '../http/zod.pipe.js';
import { Operation } from '../openapi/operation.decorator.js';
import { Problem, toProblemDocument } from '../problems/problem.js';
import { pathOf } from '../problems/problem.filter.js';
import { matchesEtag, readIdempotencyKey, readWait } from './headers.js';
import { JobAcceptor, type Answer, type Submitter } from './job.acceptor.js';
import { ListQuery, NoQuery, type ListParameters } from './job-requests.schema.js';
import { JobReader, type Reading } from './job.reader.js';
import { isTerminal, type Job } from './job.schema.js';
import { JobWatcher } from './job.watcher.js';
import { fromSubmission, toSubmission } from './typed-door.js';

const MS_PER_SECOND = 1_000;
/** When to look again: soon, and less often where the end is far. */
const RETRY_AFTER_LEAST_SECONDS = 1;
const RETRY_AFTER_MOST_SECONDS = 10;
const ETA_SHARE = 4;
/** Of a job that begins later: it may be cancelled meanwhile. */
const RETRY_AFTER_DELAYED_SECONDS = 3_600;

@Controller()
export class JobsController {
  constructor(
    private readonly resources: ApiResources,
    private readonly acceptor: JobAcceptor,
    private readonly reader: JobReader,
    private readonly watcher: JobWatcher,
  ) {}

  @Post('jobs')
  @Door('client')
  @Operation('submitJob')
  async submit(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Job> {
    const { answer, replayed } = await this.acceptor.acceptOne(
      bodyOf(request),
      submitterOf(request, '/jobs'),
    );
    return this.answer(request, reply, answer, replayed);
  }

  @Post('exports')
  @Door('client')
  @Operation('submitExport')
  async submitExport(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Job> {
    return this.submitTyped('report.export', '/exports', request, reply);
  }

  @Post('documents')
  @Door('client')
  @Operation('submitDocument')
  async submitDocument(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Job> {
    return this.submitTyped('document.pdf', '/documents', request, reply);
  }

  @Post('webhook-events')
  @Door('client')
  @Operation('submitWebhookEvent')
  async submitWebhookEvent(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Job> {
    return this.submitTyped('webhook.fanout', '/webhook-events', request, reply);
  }

  @Post('emails')
  @Door('client')
  @Operation('submitEmail')
  async submitEmail(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Job> {
    return this.submitTyped('email.send', '/emails', request, reply);
  }

  @Post('renditions')
  @Door('client')
  @Operation('submitRenditions')
  async submitRenditions(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Job> {
    return this.submitTyped('image.renditions', '/renditions', request, reply);
  }

  @Post('jobs/batch')
  @Door('client')
  @Operation('submitBatch')
  async submitBatch(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ items: object[] }> {
    const { answers, replayed } = await this.acceptor.acceptBatch(
      bodyOf(request),
      submitterOf(request, '/jobs/batch'),
    );
    reply.code(202);
    if (replayed) reply.header('idempotent-replayed', 'true');
    return { items: answers.map((answer) => this.toItem(request, answer)) };
  }

  @Get('jobs')
  @Door('client')
  @Operation('listJobs')
  async list(
    @Req() request: FastifyRequest,
    @Query(new ZodPipe(ListQuery)) query: ListParameters,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ items: Job[] }> {
    const { kind, status, key, parent, since } = query;
    const filter = { kind, status, key, parent, since: since === undefined ? undefined : new Date(since) };
    const items = await readPage(reply, {
      url: `${this.resources.settings.publicUrl}/jobs`,
      query,
      of: 'jobs',
      read: (place) => this.reader.list(tenantOf(request), { ...filter, ...place }),
    });
    return { items };
  }

  @Get('jobs/:id')
  @Door('client')
  @Operation('getJob')
  async read(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Query(new ZodPipe(NoQuery)) _query: object,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Job | undefined> {
    const { job } = await mustFind(this.reader, tenantOf(request), id);
    const etag = `"${job.revision}"`;
    reply.header('etag', etag).header('cache-control', 'private, no-cache');
    setRetryAfter(reply, job);
    if (matchesEtag(request.headers['if-none-match'], etag)) {
      reply.code(304);
      return undefined;
    }
    return job;
  }

  /** The answer to one submission; with `Prefer: wait=N` it waits for the end first. */
  private async answer(
    request: FastifyRequest,
    reply: FastifyReply,
    answer: Answer & { job: Job },
    replayed: boolean,
  ): Promise<Job> {
    const waitSeconds = readWait(request.headers.prefer);
    let { job, status } = answer;
    if (waitSeconds !== undefined) {
      const ended = await this.waitForEnd(request, reply, job, waitSeconds);
      if (ended) {
        job = { ...ended, ...(job.duplicate ? { duplicate: true } : {}) };
        status = 200;
      }
      reply.header('preference-applied', `wait=${waitSeconds}`);
    }
    reply.code(status).header('location', job.links.self).header('cache-control', 'no-store');
    if (replayed) reply.header('idempotent-replayed', 'true');
    setRetryAfter(reply, job);
    return job;
  }

  /** A door of one kind: its refusals speak of the body as it was sent. */
  private async submitTyped(
    kind: string,
    route: string,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<Job> {
    const { answer, replayed } = await this.acceptor
      .acceptOne(toSubmission(kind, bodyOf(request)), submitterOf(request, route))
      .catch((error: unknown) => {
        throw error instanceof Problem ? fromSubmission(error) : error;
      });
    return this.answer(request, reply, answer, replayed);
  }

  private async waitForEnd(
    request: FastifyRequest,
    reply: FastifyReply,
    job: Job,
    waitSeconds: number,
  ): Promise<Job | undefined> {
    const gone = new AbortController();
    const onClose = (): void => gone.abort();
    reply.raw.once('close', onClose);
    try {
      return await this.watcher.waitForEnd(tenantOf(request), job, waitSeconds * MS_PER_SECOND, gone.signal);
    } finally {
      reply.raw.off('close', onClose);
    }
  }

  private toItem(request: FastifyRequest, answer: Answer): object {
    if ('job' in answer) return answer;
    const problem = toProblemDocument(answer.problem, {
      publicUrl: this.resources.settings.publicUrl,
      instance: pathOf(request),
      traceId: traceOf(request).traceId,
    });
    return { status: problem.status, problem };
  }
}

/** Who submits through this route. */
export function submitterOf(request: FastifyRequest, route: string): Submitter {
  return {
    tenantId: tenantOf(request),
    route,
    idempotencyKey: readIdempotencyKey(request.headers['idempotency-key']),
    traceParent: traceOf(request).traceParent,
  };
}

/** The job, or 404: unknown ids, foreign ones, and what is no id at all answer the same. */
export async function mustFind(reader: JobReader, tenantId: string, id: string): Promise<Reading> {
  const reading = isUuid(id) ? await reader.read(tenantId, id) : undefined;
  if (reading) return reading;
  throw jobNotFound();
}

export function jobNotFound(): Problem {
  return new Problem('job_not_found', 'There is no such job.');
}

/** Says when it is worth to look again, for as long as the job has not ended. */
export function setRetryAfter(reply: FastifyReply, job: Job): void {
  if (!isTerminal(job)) reply.header('retry-after', String(retryAfterSeconds(job)));
}

export function retryAfterSeconds(job: Job): number {
  const delayMs = job.status === 'PENDING' && job.delayUntil ? Date.parse(job.delayUntil) - Date.now() : 0;
  if (delayMs > 0) return Math.min(Math.ceil(delayMs / MS_PER_SECOND), RETRY_AFTER_DELAYED_SECONDS);
  const share = Math.ceil((job.progress.etaSeconds ?? 0) / ETA_SHARE);
  return Math.min(Math.max(share, RETRY_AFTER_LEAST_SECONDS), RETRY_AFTER_MOST_SECONDS);
}
