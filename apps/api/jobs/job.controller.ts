/** /jobs/{id}/…: events, result, cancel. */
import { Controller, Get, Param, Post, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { validate as isUuid } from 'uuid';
import { requestCancel } from '../../../libs/store/accept.store.js';
import { readJob, type ArtifactRecord, type JobRecord } from '../../../libs/store/jobs.store.js';
import { ApiResources } from '../api.resources.js';
import { Door } from '../http/door.decorator.js';
import { optionalBody, tenantOf } from '../http/request.js';
import { check, distinct } from '../http/validate.js';
import { ZodPipe } from '../http/zod.pipe.js';
import { Operation } from '../openapi/operation.decorator.js';
import { Problem } from '../problems/problem.js';
import { previewCancel } from './cancel.preview.js';
import { asksForJson, readLastEventId } from './headers.js';
import { JobEvents } from './job.events.js';
import { CancelQuery, CancelRequest, NoQuery } from './job-requests.schema.js';
import { JobReader, type Reading } from './job.reader.js';
import { isTerminal, type ArtifactLink, type CancelPreview, type Job } from './job.schema.js';
import { jobNotFound, mustFind, retryAfterSeconds, setRetryAfter } from './jobs.controller.js';

/** How long a signed URL opens the file: long enough to start a download, and to resume it for a while. */
export const LINK_TTL_MS = 15 * 60_000;

@Controller('jobs/:id')
export class JobController {
  constructor(
    private readonly resources: ApiResources,
    private readonly reader: JobReader,
    private readonly events: JobEvents,
  ) {}

  @Get('events')
  @Door('client')
  @Operation('followJob')
  async follow(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Query(new ZodPipe(NoQuery)) _query: object,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const tenantId = tenantOf(request);
    const { job } = await mustFind(this.reader, tenantId, id);
    const named = readLastEventId(request.headers['last-event-id']);
    // A revision that this job never had says nothing of what the client has seen; waiting for it would miss the end.
    const seen = named > job.revision ? 0 : named;
    if (isTerminal(job) && seen >= job.revision) {
      // Tells an EventSource not to come back.
      await reply.code(204).send();
      return;
    }
    if (request.method === 'HEAD') {
      await reply.code(200).type('text/event-stream; charset=utf-8').send('');
      return;
    }
    this.events.open(request, reply, tenantId, job, seen);
  }

  @Get('result')
  @Door('client')
  @Operation('getResult')
  async result(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Query(new ZodPipe(NoQuery)) _query: object,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<unknown> {
    const { record, job } = await mustFind(this.reader, tenantOf(request), id);
    refuseWithoutResult(job);
    reply.header('cache-control', 'no-store').header('vary', 'accept');
    if (!record.artifact) return this.plainResult(record, job);
    const link = await this.signedLink(record.artifact);
    if (asksForJson(request.headers.accept)) return link;
    reply.code(303).header('location', link.url);
    return undefined;
  }

  @Post('cancel')
  @Door('client')
  @Operation('cancelJob')
  async cancel(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Query(new ZodPipe(CancelQuery)) query: { dryRun?: 'true' | 'false' | undefined },
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Job | CancelPreview> {
    const tenantId = tenantOf(request);
    const reason = reasonOf(request);
    if (!isUuid(id)) throw jobNotFound();
    if (query.dryRun === 'true') {
      reply.code(200);
      return this.preview(tenantId, id);
    }
    const outcome = await requestCancel(this.resources.database, tenantId, id, reason);
    switch (outcome) {
      case 'not_found':
        throw jobNotFound();
      case 'finished':
        throw new Problem('job_finished', 'The job has ended; there is nothing left to cancel.');
      case 'too_late':
        throw new Problem('too_late', 'The job is past its commit point and only goes forward.');
      case 'requested':
        this.resources.poke.poke();
    }
    const { job } = await mustFind(this.reader, tenantId, id);
    reply.code(outcome === 'already_cancelled' ? 200 : 202).header('location', job.links.self);
    setRetryAfter(reply, job);
    return job;
  }

  private async preview(tenantId: string, id: string): Promise<CancelPreview> {
    const record = await readJob(this.resources.database, tenantId, id);
    if (!record) throw jobNotFound();
    return previewCancel(record);
  }

  /** A kind with artifacts whose artifact's row is gone has expired; a kind without answers its result. */
  private plainResult(record: JobRecord, job: Job): unknown {
    const definition = this.resources.definitions.get(record.kind);
    if (definition?.artifact || (record.result && job.result === null)) throw expired();
    return job.result;
  }

  private async signedLink(artifact: ArtifactRecord): Promise<ArtifactLink> {
    const ends = Date.parse(artifact.expiresAt);
    if (artifact.expired || ends <= Date.now()) throw expired();
    const { filename, contentType, bytes, sha256, rows } = artifact;
    const expiresAt = new Date(Math.min(ends, Date.now() + LINK_TTL_MS));
    const url = await this.resources.artifacts.signedUrl(artifact, expiresAt);
    return {
      url,
      expiresAt: expiresAt.toISOString(),
      bytes,
      sha256,
      contentType,
      filename,
      ...(rows === null ? {} : { rows }),
    };
  }
}

function expired(): Problem {
  return new Problem('result_expired', 'The result was kept as long as its kind says, and is gone.');
}

function refuseWithoutResult(job: Reading['job']): void {
  switch (job.status) {
    case 'FAILED':
      throw new Problem('job_failed', `The job failed: ${job.error?.code ?? 'unknown'}.`);
    case 'CANCELLED':
      throw new Problem('job_cancelled', 'The job was cancelled.');
    case 'PENDING':
    case 'STARTED':
      throw new Problem('result_not_ready', `The job is ${job.phase}, at ${job.progress.percent} %.`, {
        headers: { 'retry-after': String(retryAfterSeconds(job)) },
      });
  }
}

/** The body may be missing altogether. */
function reasonOf(request: FastifyRequest): string | undefined {
  const body = optionalBody(request);
  if (body.value === undefined) return undefined;
  const checked = check(CancelRequest, body.value);
  const errors = [...body.errors, ...(checked.ok ? [] : checked.errors)];
  if (!checked.ok || errors.length > 0) {
    throw new Problem('validation_failed', 'Expected {reason?} with at most 200 characters.', {
      errors: distinct(errors),
    });
  }
  return checked.value.reason;
}
