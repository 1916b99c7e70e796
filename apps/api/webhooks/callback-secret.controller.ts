/** /callback-secret: what the tenant's callbacks are signed with. */
import { Controller, Get, Post, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { inTenant } from '../../../libs/store/database.js';
import {
  createSealSecret,
  readCallbackSecret,
  replaceCallbackSecret,
  type CallbackSecretRecord,
  type SealSecret,
} from '../../../libs/webhooks/callback-secrets.store.js';
import { ApiResources } from '../api.resources.js';
import { Door } from '../http/door.decorator.js';
import { tenantOf } from '../http/request.js';
import { ZodPipe } from '../http/zod.pipe.js';
import { NoQuery } from '../jobs/job-requests.schema.js';
import { Operation } from '../openapi/operation.decorator.js';
import { Problem } from '../problems/problem.js';
import type { CallbackSecret, CallbackSecretShown } from './webhook.schema.js';

@Controller('callback-secret')
export class CallbackSecretController {
  private readonly seal: SealSecret;

  constructor(private readonly resources: ApiResources) {
    this.seal = createSealSecret(resources.cipher);
  }

  @Get()
  @Door('client')
  @Operation('getCallbackSecret')
  async read(
    @Req() request: FastifyRequest,
    @Query(new ZodPipe(NoQuery)) _query: object,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CallbackSecret> {
    const record = await inTenant(this.resources.database, tenantOf(request), readCallbackSecret);
    if (!record) throw new Problem('callback_secret_not_found', 'POST /callback-secret/rotate makes one.');
    reply.header('cache-control', 'no-store');
    return viewOf(record);
  }

  @Post('rotate')
  @Door('client')
  @Operation('rotateCallbackSecret')
  async rotate(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CallbackSecretShown> {
    const tenantId = tenantOf(request);
    const { secret, ...record } = await inTenant(this.resources.database, tenantId, (tx) =>
      replaceCallbackSecret(tx, tenantId, this.seal),
    );
    reply.code(200).header('cache-control', 'no-store');
    return { ...viewOf(record), secret };
  }
}

function viewOf({ createdAt, previousUntil }: CallbackSecretRecord): CallbackSecret {
  return { createdAt: createdAt.toISOString(), previousUntil: previousUntil?.toISOString() ?? null };
}
