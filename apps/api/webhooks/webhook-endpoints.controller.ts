/** /webhook-endpoints: who listens to a tenant's events. */
import { createHash } from 'node:crypto';
import { Controller, Delete, Get, Param, Patch, Post, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { validate as isUuid, v7 as uuidv7 } from 'uuid';
import type { z } from 'zod';
import { inTenant } from '../../../libs/store/database.js';
import { createSealSecret, type SealSecret } from '../../../libs/webhooks/callback-secrets.store.js';
import {
  deleteEndpoint,
  insertEndpoint,
  listEndpoints,
  readEndpoint,
  replaceSecret,
  updateEndpoint,
  type EndpointRecord,
} from '../../../libs/webhooks/endpoints.store.js';
import { refusalOfUrl, targetPolicy, type TargetPolicy } from '../../../libs/webhooks/target.js';
import { ApiResources } from '../api.resources.js';
import { Door } from '../http/door.decorator.js';
import { readPage } from '../http/page.js';
import { PageQuery, type PageParameters } from '../http/page.schema.js';
import { bodyOf, tenantOf } from '../http/request.js';
import { check, distinct } from '../http/validate.js';
import { ZodPipe } from '../http/zod.pipe.js';
import { readIdempotencyKey } from '../jobs/headers.js';
import { NoQuery } from '../jobs/job-requests.schema.js';
import { JobAcceptor } from '../jobs/job.acceptor.js';
import type { Job } from '../jobs/job.schema.js';
import { setRetryAfter, submitterOf } from '../jobs/jobs.controller.js';
import { Operation } from '../openapi/operation.decorator.js';
import { Problem, type FieldError } from '../problems/problem.js';
import {
  EndpointBody,
  EndpointChange,
  ResendRequest,
  type Endpoint,
  type EndpointWithSecret,
} from './webhook.schema.js';
import { endpointView } from './webhook.view.js';

const UNIQUE_VIOLATION = '23505';

@Controller('webhook-endpoints')
export class WebhookEndpointsController {
  private readonly policy: TargetPolicy;
  private readonly newSecret: SealSecret;

  constructor(
    private readonly resources: ApiResources,
    private readonly acceptor: JobAcceptor,
  ) {
    this.policy = targetPolicy(resources.settings.webhooks.allowedNetworks);
    this.newSecret = createSealSecret(resources.cipher);
  }

  @Post()
  @Door('client')
  @Operation('createWebhookEndpoint')
  async create(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<EndpointWithSecret> {
    const tenantId = tenantOf(request);
    const wish = this.judged(valid(request, EndpointBody));
    const id = uuidv7();
    const { secret, sealed } = await this.newSecret(tenantId, id);
    const record = await inTenant(this.resources.database, tenantId, (tx) =>
      insertEndpoint(tx, tenantId, { ...wish, id, secret: sealed }),
    );
    if (!record) throw endpointExists();
    const view = this.view(record);
    reply.code(201).header('location', view.links.self).header('cache-control', 'no-store');
    return { ...view, secret };
  }

  @Get()
  @Door('client')
  @Operation('listWebhookEndpoints')
  async list(
    @Req() request: FastifyRequest,
    @Query(new ZodPipe(PageQuery)) query: PageParameters,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ items: Endpoint[] }> {
    const page = await readPage(reply, {
      url: `${this.resources.settings.publicUrl}/webhook-endpoints`,
      query,
      of: 'endpoints',
      read: (place) => inTenant(this.resources.database, tenantOf(request), (tx) => listEndpoints(tx, place)),
    });
    return { items: page.map((record) => this.view(record)) };
  }

  @Get(':id')
  @Door('client')
  @Operation('getWebhookEndpoint')
  async read(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Query(new ZodPipe(NoQuery)) _query: object,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Endpoint> {
    reply.header('cache-control', 'no-store');
    return this.view(await mustFindEndpoint(this.resources, tenantOf(request), id));
  }

  @Patch(':id')
  @Door('client')
  @Operation('changeWebhookEndpoint')
  async change(@Req() request: FastifyRequest, @Param('id') id: string): Promise<Endpoint> {
    const { status, ...wish } = this.judged(valid(request, EndpointChange));
    const record = await this.changed(request, id, (tx) =>
      updateEndpoint(tx, id, { ...wish, state: status }),
    );
    return this.view(record);
  }

  @Delete(':id')
  @Door('client')
  @Operation('deleteWebhookEndpoint')
  async remove(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    await this.changed(request, id, async (tx) => (await deleteEndpoint(tx, id)) || undefined);
    reply.code(204);
  }

  @Post(':id/rotate-secret')
  @Door('client')
  @Operation('rotateWebhookSecret')
  async rotate(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<EndpointWithSecret> {
    const { secret, sealed } = await this.newSecret(tenantOf(request), id);
    const record = await this.changed(request, id, (tx) => replaceSecret(tx, id, sealed));
    reply.code(200).header('cache-control', 'no-store');
    return { ...this.view(record), secret };
  }

  @Post(':id/test')
  @Door('client')
  @Operation('testWebhookEndpoint')
  async test(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Job> {
    return this.submit(request, reply, id, 'webhook.fanout', {
      event: testNameOf(id, readIdempotencyKey(request.headers['idempotency-key'])),
      type: 'longhaul.webhook_endpoint.test',
      data: { endpoint: id },
      endpoint: id,
    });
  }

  @Post(':id/resend')
  @Door('client')
  @Operation('resendWebhooks')
  async resend(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Job> {
    const wish = valid(request, ResendRequest);
    return this.submit(request, reply, id, 'webhook.resend', { ...wish, endpoint: id });
  }

  private async submit(
    request: FastifyRequest,
    reply: FastifyReply,
    id: string,
    kind: string,
    input: object,
  ): Promise<Job> {
    await mustFindEndpoint(this.resources, tenantOf(request), id);
    const { answer } = await this.acceptor.acceptOne(
      { value: { kind, input }, errors: [] },
      submitterOf(request, request.routeOptions.url ?? kind),
    );
    reply.code(202).header('location', answer.job.links.self).header('cache-control', 'no-store');
    setRetryAfter(reply, answer.job);
    return answer.job;
  }

  /** The wish, its URL judged as far as it tells by itself. */
  private judged<W extends { readonly url?: string | undefined }>(wish: W): W {
    if (wish.url === undefined) return wish;
    const refusal = refusalOfUrl(wish.url, this.policy);
    if (refusal !== undefined) throw invalid([{ pointer: '/url', detail: refusal }]);
    return { ...wish, url: new URL(wish.url).href };
  }

  private async changed<R>(
    request: FastifyRequest,
    id: string,
    work: (tx: Parameters<Parameters<typeof inTenant>[2]>[0]) => Promise<R | undefined>,
  ): Promise<R> {
    if (!isUuid(id)) throw endpointNotFound();
    try {
      const done = await inTenant(this.resources.database, tenantOf(request), work);
      if (done === undefined) throw endpointNotFound();
      return done;
    } catch (error) {
      if ((error as { code?: unknown }).code === UNIQUE_VIOLATION) throw endpointExists();
      throw error;
    }
  }

  private view(record: EndpointRecord): Endpoint {
    return endpointView(record, this.resources.settings.publicUrl);
  }
}

/** The endpoint, or 404: unknown ids, foreign ones, and what is no id at all answer the same. */
export async function mustFindEndpoint(
  { database }: ApiResources,
  tenantId: string,
  id: string,
): Promise<EndpointRecord> {
  const record = isUuid(id) ? await inTenant(database, tenantId, (tx) => readEndpoint(tx, id)) : undefined;
  if (record) return record;
  throw endpointNotFound();
}

/** A repeat under the same Idempotency-Key is the same event. */
function testNameOf(id: string, idempotencyKey: string | undefined): string {
  const unique =
    idempotencyKey === undefined
      ? uuidv7()
      : createHash('sha256').update(idempotencyKey).digest('hex').slice(0, 32);
  return `endpoint-test/${id}/${unique}`;
}

function valid<S extends z.ZodType>(request: FastifyRequest, schema: S): z.output<S> {
  const body = bodyOf(request);
  const checked = check(schema, body.value);
  const errors = [...body.errors, ...(checked.ok ? [] : checked.errors)];
  if (!checked.ok || errors.length > 0) throw invalid(errors);
  return checked.value;
}

function invalid(errors: readonly FieldError[]): Problem {
  return new Problem('validation_failed', 'The endpoint has values that are not allowed.', {
    errors: distinct(errors),
  });
}

function endpointNotFound(): Problem {
  return new Problem('webhook_endpoint_not_found', 'There is no such webhook endpoint.');
}

function endpointExists(): Problem {
  return new Problem('webhook_endpoint_exists', 'Another endpoint has this URL.');
}
