/** /email-suppressions: to whom nothing is sent. */
import { Controller, Delete, Get, Param, Post, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { validate as isUuid } from 'uuid';
import { parseAddress } from '../../../libs/emails/address.js';
import {
  createSuppressions,
  type SuppressionRecord,
  type Suppressions,
} from '../../../libs/emails/suppressions.store.js';
import { inTenant } from '../../../libs/store/database.js';
import { ApiResources } from '../api.resources.js';
import { Door } from '../http/door.decorator.js';
import { readPage } from '../http/page.js';
import { bodyOf, tenantOf } from '../http/request.js';
import { checkBody } from '../http/validate.js';
import { ZodPipe } from '../http/zod.pipe.js';
import { NoQuery } from '../jobs/job-requests.schema.js';
import { Operation } from '../openapi/operation.decorator.js';
import { Problem } from '../problems/problem.js';
import {
  SuppressionBody,
  SuppressionQuery,
  type Suppression,
  type SuppressionParameters,
} from './email.schema.js';
import { suppressionView } from './email.view.js';

@Controller('email-suppressions')
export class EmailSuppressionsController {
  private readonly suppressions: Suppressions;

  constructor(private readonly resources: ApiResources) {
    this.suppressions = createSuppressions(resources.cipher);
  }

  @Post()
  @Door('client')
  @Operation('addEmailSuppression')
  async add(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Suppression> {
    const tenantId = tenantOf(request);
    const wish = checkBody(
      SuppressionBody,
      bodyOf(request),
      'The suppression has values that are not allowed.',
    );
    const parsed = parseAddress(wish.address);
    if (!parsed.ok) throw invalidAddress(parsed.problem);
    const { address } = parsed;
    const { record, isNew } = await inTenant(this.resources.database, tenantId, (tx) =>
      this.suppressions.add(tx, tenantId, { address, reason: 'owner' }),
    );
    const view = this.view(record);
    reply
      .code(isNew ? 201 : 200)
      .header('location', view.links.self)
      .header('cache-control', 'no-store');
    return view;
  }

  @Get()
  @Door('client')
  @Operation('listEmailSuppressions')
  async list(
    @Req() request: FastifyRequest,
    @Query(new ZodPipe(SuppressionQuery)) query: SuppressionParameters,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ items: Suppression[] }> {
    const tenantId = tenantOf(request);
    const { address } = query;
    if (address !== undefined) {
      const parsed = parseAddress(address);
      if (!parsed.ok) throw invalidAddress(parsed.problem);
      const found = await inTenant(this.resources.database, tenantId, (tx) =>
        this.suppressions.findAddress(tx, tenantId, parsed.address),
      );
      reply.header('cache-control', 'no-store');
      return { items: found ? [this.view(found)] : [] };
    }
    const page = await readPage(reply, {
      url: `${this.resources.settings.publicUrl}/email-suppressions`,
      query,
      of: 'suppressions',
      read: (place) =>
        inTenant(this.resources.database, tenantId, (tx) => this.suppressions.list(tx, tenantId, place)),
    });
    return { items: page.map((record) => this.view(record)) };
  }

  @Get(':id')
  @Door('client')
  @Operation('getEmailSuppression')
  async read(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Query(new ZodPipe(NoQuery)) _query: object,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Suppression> {
    const tenantId = tenantOf(request);
    const record = isUuid(id)
      ? await inTenant(this.resources.database, tenantId, (tx) => this.suppressions.find(tx, tenantId, id))
      : undefined;
    if (!record) throw suppressionNotFound();
    reply.header('cache-control', 'no-store');
    return this.view(record);
  }

  @Delete(':id')
  @Door('client')
  @Operation('removeEmailSuppression')
  async remove(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    const gone =
      isUuid(id) &&
      (await inTenant(this.resources.database, tenantOf(request), (tx) => this.suppressions.remove(tx, id)));
    if (!gone) throw suppressionNotFound();
    reply.code(204);
  }

  private view(record: SuppressionRecord): Suppression {
    return suppressionView(record, this.resources.settings.publicUrl);
  }
}

function invalidAddress(detail: string): Problem {
  return new Problem('validation_failed', 'This is no address.', {
    errors: [{ pointer: '/address', detail }],
  });
}

function suppressionNotFound(): Problem {
  return new Problem('email_suppression_not_found', 'There is no such suppression.');
}
