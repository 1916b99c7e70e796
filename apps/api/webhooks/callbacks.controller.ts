/** /jobs/{id}/callback: what told of a job's end, sent again. */
import { Controller, Param, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { validate as isUuid } from 'uuid';
import { inTenant } from '../../../libs/store/database.js';
import { callbackOf } from '../../../libs/webhooks/delivery-log.store.js';
import { ApiResources } from '../api.resources.js';
import { Door } from '../http/door.decorator.js';
import { tenantOf } from '../http/request.js';
import { JobAcceptor } from '../jobs/job.acceptor.js';
import type { Job } from '../jobs/job.schema.js';
import { jobNotFound, setRetryAfter, submitterOf } from '../jobs/jobs.controller.js';
import { Operation } from '../openapi/operation.decorator.js';
import { Problem } from '../problems/problem.js';

@Controller('jobs/:id/callback')
export class CallbacksController {
  constructor(
    private readonly resources: ApiResources,
    private readonly acceptor: JobAcceptor,
  ) {}

  @Post('resend')
  @Door('client')
  @Operation('resendCallback')
  async resend(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Job> {
    const input = await this.mustFindSent(tenantOf(request), id);
    const { answer } = await this.acceptor.acceptOne(
      { value: { kind: 'webhook.resend', input }, errors: [] },
      submitterOf(request, '/jobs/:id/callback/resend'),
    );
    reply.code(202).header('location', answer.job.links.self).header('cache-control', 'no-store');
    setRetryAfter(reply, answer.job);
    return answer.job;
  }

  /** Where it went. One that was never sent has no delivery that could be taken over. */
  private async mustFindSent(tenantId: string, id: string): Promise<{ endpoint: string; event: string }> {
    const found = isUuid(id)
      ? await inTenant(this.resources.database, tenantId, (tx) => callbackOf(tx, id))
      : undefined;
    if (!found) throw jobNotFound();
    const { callback: event, endpoint } = found;
    if (event === null) throw new Problem('callback_not_found', 'The job was submitted without a callback.');
    if (endpoint === null) throw new Problem('callback_not_sent', 'The callback was not sent yet.');
    return { endpoint, event };
  }
}
