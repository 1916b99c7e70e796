/** /uploads: source objects of a tenant, for the kinds that work on them. */
import { Controller, Delete, Get, Param, Post, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { validate as isUuid, v7 as uuidv7 } from 'uuid';
import { locationOf } from '../../../libs/artifacts/artifact-store.js';
import { inTenant } from '../../../libs/store/database.js';
import {
  beginUpload,
  bytesKept,
  deleteUpload,
  finishUpload,
  forgetUpload,
  readUpload,
  renewUpload,
  type Contents,
  type UploadRecord,
} from '../../../libs/uploads/uploads.store.js';
import { ApiResources } from '../api.resources.js';
import { Door } from '../http/door.decorator.js';
import { tenantOf } from '../http/request.js';
import { receive } from '../http/streamed-body.js';
import { ZodPipe } from '../http/zod.pipe.js';
import { NoQuery } from '../jobs/job-requests.schema.js';
import { Operation } from '../openapi/operation.decorator.js';
import { Problem } from '../problems/problem.js';
import { receiveImage } from './image.receiver.js';
import type { Upload } from './upload.schema.js';

const UNIQUE_VIOLATION = '23505';
const MIB = 1 << 20;
/** Two that finish the same bytes at once, and one that is deleted between: more is nobody's bad luck. */
const FINISH_TRIES_MAX = 3;

@Controller('uploads')
export class UploadsController {
  constructor(private readonly resources: ApiResources) {}

  @Post()
  @Door('client', { streams: ['image/*', 'application/octet-stream'] })
  @Operation('createUpload')
  async create(
    @Req() request: FastifyRequest,
    @Query(new ZodPipe(NoQuery)) _query: object,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Upload> {
    const tenantId = tenantOf(request);
    const { bytesMax, ttlMs } = this.resources.settings.uploads;
    const { record, isNew } = await receive(request, { bytesMax, tooLarge }, ({ bytes }) =>
      this.store(tenantId, bytes, ttlMs),
    );
    reply.code(isNew ? 201 : 200).header('location', this.selfOf(record.id));
    reply.header('cache-control', 'no-store');
    return this.view(record);
  }

  @Get(':id')
  @Door('client')
  @Operation('getUpload')
  async read(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Query(new ZodPipe(NoQuery)) _query: object,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Upload> {
    const record = isUuid(id)
      ? await inTenant(this.resources.database, tenantOf(request), (tx) => readUpload(tx, id))
      : undefined;
    if (!record) throw uploadNotFound();
    reply.header('cache-control', 'no-store');
    return this.view(record);
  }

  @Delete(':id')
  @Door('client')
  @Operation('deleteUpload')
  async remove(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    const location = isUuid(id)
      ? await inTenant(this.resources.database, tenantOf(request), (tx) => deleteUpload(tx, id))
      : undefined;
    if (location === undefined) throw uploadNotFound();
    // The row is what counts: should this fail, the sweeper finds a file that nobody wants.
    await this.resources.artifacts.remove(location);
    reply.code(204);
  }

  private async store(
    tenantId: string,
    bytes: AsyncIterable<Buffer>,
    ttlMs: number,
  ): Promise<{ record: UploadRecord; isNew: boolean }> {
    const id = uuidv7();
    await this.begin(tenantId, id);
    try {
      const contents = await receiveImage(this.resources.artifacts, id, bytes);
      const settled = await this.settle(tenantId, id, contents, ttlMs);
      if (!settled.isNew) await this.drop(tenantId, id);
      return settled;
    } catch (error) {
      await this.drop(tenantId, id);
      throw error;
    }
  }

  private async begin(tenantId: string, id: string): Promise<void> {
    const { artifacts, database, settings } = this.resources;
    const { tenantBytesMax } = settings.uploads;
    await inTenant(database, tenantId, async (tx) => {
      const kept = await bytesKept(tx);
      if (kept >= tenantBytesMax) {
        throw new Problem(
          'upload_quota_reached',
          `Your uploads have ${kept} bytes; ${tenantBytesMax} are kept at a time.`,
        );
      }
      await beginUpload(tx, { id, tenantId, store: artifacts.name, location: locationOf(id) });
    });
  }

  /** The same bytes of a tenant are the upload that is there, for as long from now as a new one would be. */
  private async settle(
    tenantId: string,
    id: string,
    contents: Contents,
    ttlMs: number,
  ): Promise<{ record: UploadRecord; isNew: boolean }> {
    const { artifacts, database } = this.resources;
    for (let tries = 1; ; tries += 1) {
      try {
        return await inTenant(database, tenantId, async (tx) => {
          const there = await renewUpload(tx, { sha256: contents.sha256, store: artifacts.name }, ttlMs);
          if (there) return { record: there, isNew: false };
          const record = await finishUpload(tx, id, contents, ttlMs);
          if (!record) throw new Error(`upload ${id} was swept before it was finished`);
          return { record, isNew: true };
        });
      } catch (error) {
        if ((error as { code?: unknown }).code !== UNIQUE_VIOLATION || tries === FINISH_TRIES_MAX)
          throw error;
      }
    }
  }

  /** Leaves nothing behind; what cannot be done now, the sweeper does within the hour. */
  private async drop(tenantId: string, id: string): Promise<void> {
    const { artifacts, database, log } = this.resources;
    try {
      await artifacts.discard(id);
      await inTenant(database, tenantId, (tx) => forgetUpload(tx, id));
    } catch (error) {
      log.warn({ err: error, upload: id }, 'an upload that came to nothing is left to the sweeper');
    }
  }

  private selfOf(id: string): string {
    return `${this.resources.settings.publicUrl}/uploads/${id}`;
  }

  private view(record: UploadRecord): Upload {
    const { id, bytes, sha256, contentType, width, height } = record;
    return {
      id,
      bytes,
      sha256,
      contentType,
      width,
      height,
      createdAt: record.createdAt.toISOString(),
      expiresAt: record.expiresAt.toISOString(),
      links: { self: this.selfOf(id) },
    };
  }
}

function tooLarge(bytesMax: number): Problem {
  const limit = bytesMax % MIB === 0 ? `${bytesMax / MIB} MiB` : `${bytesMax} bytes`;
  return new Problem('upload_too_large', `An upload may have ${limit} at most.`);
}

function uploadNotFound(): Problem {
  return new Problem('upload_not_found', 'There is no such upload.');
}
