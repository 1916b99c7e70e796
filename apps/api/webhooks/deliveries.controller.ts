/** Deliveries of an endpoint, and of a job. */
import { Controller, Get, Param, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { inTenant } from '../../../libs/store/database.js';
import {
  listOfEndpoint,
  listOfJob,
  type DeliveryFilter,
  type DeliveryRecord,
} from '../../../libs/webhooks/delivery-log.store.js';
import { ApiResources } from '../api.resources.js';
import { Door } from '../http/door.decorator.js';
import { readPageBy } from '../http/page.js';
import { tenantOf } from '../http/request.js';
import { ZodPipe } from '../http/zod.pipe.js';
import { JobReader } from '../jobs/job.reader.js';
import { mustFind } from '../jobs/jobs.controller.js';
import { Operation } from '../openapi/operation.decorator.js';
import { mustFindEndpoint } from './webhook-endpoints.controller.js';
import { DeliveryQuery, type Delivery, type DeliveryParameters } from './webhook.schema.js';
import { deliveryView } from './webhook.view.js';

/** What a list goes over: how a page is read, and by which id the next one is found. */
interface Listing {
  readonly path: string;
  readonly of: 'jobs' | 'endpoints';
  readonly list: (
    tx: Parameters<typeof listOfJob>[0],
    id: string,
    filter: DeliveryFilter,
  ) => Promise<DeliveryRecord[]>;
  readonly idOf: (record: DeliveryRecord) => string;
}

const OF_ENDPOINT: Listing = {
  path: 'webhook-endpoints',
  of: 'jobs',
  list: listOfEndpoint,
  idOf: ({ jobId }) => jobId,
};
const OF_JOB: Listing = {
  path: 'jobs',
  of: 'endpoints',
  list: listOfJob,
  idOf: ({ endpointId }) => endpointId,
};

@Controller()
export class DeliveriesController {
  constructor(
    private readonly resources: ApiResources,
    private readonly reader: JobReader,
  ) {}

  @Get('webhook-endpoints/:id/deliveries')
  @Door('client')
  @Operation('listEndpointDeliveries')
  async ofEndpoint(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Query(new ZodPipe(DeliveryQuery)) query: DeliveryParameters,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ items: Delivery[] }> {
    await mustFindEndpoint(this.resources, tenantOf(request), id);
    return this.page(OF_ENDPOINT, tenantOf(request), id, query, reply);
  }

  @Get('jobs/:id/deliveries')
  @Door('client')
  @Operation('listJobDeliveries')
  async ofJob(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Query(new ZodPipe(DeliveryQuery)) query: DeliveryParameters,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ items: Delivery[] }> {
    await mustFind(this.reader, tenantOf(request), id);
    return this.page(OF_JOB, tenantOf(request), id, query, reply);
  }

  private async page(
    listing: Listing,
    tenantId: string,
    id: string,
    query: DeliveryParameters,
    reply: FastifyReply,
  ): Promise<{ items: Delivery[] }> {
    const page = await readPageBy(listing.idOf, reply, {
      url: `${this.resources.settings.publicUrl}/${listing.path}/${id}/deliveries`,
      query,
      of: listing.of,
      read: (place) =>
        inTenant(this.resources.database, tenantId, (tx) =>
          listing.list(tx, id, { state: query.status, ...place }),
        ),
    });
    return { items: page.map(deliveryView) };
  }
}
