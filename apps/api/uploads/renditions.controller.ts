/** /jobs/{id}/renditions: what became of a job's sources, and the files made of them. */
import { Controller, Get, Param, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { validate as isUuid } from 'uuid';
import {
  listSources,
  readFile,
  type FileRecord,
  type SourceRecord,
} from '../../../libs/images/renditions.store.js';
import { inTenant } from '../../../libs/store/database.js';
import { ApiResources } from '../api.resources.js';
import { Door } from '../http/door.decorator.js';
import { readPageBy } from '../http/page.js';
import { PageQuery, type PageParameters } from '../http/page.schema.js';
import { tenantOf } from '../http/request.js';
import { ZodPipe } from '../http/zod.pipe.js';
import { LINK_TTL_MS } from '../jobs/artifact.answer.js';
import { asksForJson } from '../jobs/headers.js';
import { NoQuery } from '../jobs/job-requests.schema.js';
import { JobReader } from '../jobs/job.reader.js';
import type { ArtifactLink } from '../jobs/job.schema.js';
import { mustFind } from '../jobs/jobs.controller.js';
import { Operation } from '../openapi/operation.decorator.js';
import { Problem } from '../problems/problem.js';
import { type RenditionFile, type RenditionSource } from './upload.schema.js';

@Controller('jobs/:id/renditions')
export class RenditionsController {
  constructor(
    private readonly resources: ApiResources,
    private readonly reader: JobReader,
  ) {}

  @Get()
  @Door('client')
  @Operation('listRenditions')
  async list(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Query(new ZodPipe(PageQuery)) query: PageParameters,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ items: RenditionSource[] }> {
    const tenantId = tenantOf(request);
    await mustFind(this.reader, tenantId, id);
    const page = await readPageBy((source: SourceRecord) => source.uploadId, reply, {
      url: `${this.resources.settings.publicUrl}/jobs/${id}/renditions`,
      query,
      of: 'uploads',
      read: ({ before: after, limit }) =>
        inTenant(this.resources.database, tenantId, (tx) => listSources(tx, id, { after, limit })),
    });
    return { items: await Promise.all(page.map((source) => this.viewOf(source))) };
  }

  @Get(':upload/:name')
  @Door('client')
  @Operation('getRendition')
  async file(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Param('upload') upload: string,
    @Param('name') name: string,
    @Query(new ZodPipe(NoQuery)) _query: object,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ArtifactLink | undefined> {
    const tenantId = tenantOf(request);
    await mustFind(this.reader, tenantId, id);
    const file = isUuid(upload)
      ? await inTenant(this.resources.database, tenantId, (tx) => readFile(tx, id, upload, name))
      : undefined;
    // What is not announced is not there: it may still be discarded.
    if (!file || file.expiresAt === null) {
      throw new Problem('rendition_not_found', 'The job has no such rendition, or has not succeeded yet.');
    }
    const link = await this.linkOf(file, upload);
    if (!link)
      throw new Problem('result_expired', 'The file was kept as long as its kind says, and is gone.');
    reply.header('cache-control', 'no-store').header('vary', 'accept');
    if (asksForJson(request.headers.accept)) return link;
    reply.code(303).header('location', link.url);
    return undefined;
  }

  private async viewOf(source: SourceRecord): Promise<RenditionSource> {
    const { uploadId, state, reason, detail, width, height, frames, files } = source;
    return {
      upload: uploadId,
      status: state,
      reason,
      detail,
      width,
      height,
      frames,
      files: await Promise.all(files.map((file) => this.fileView(file, uploadId))),
    };
  }

  private async fileView(file: FileRecord, upload: string): Promise<RenditionFile> {
    const { name, format, contentType, width, height, bytes, sha256 } = file;
    const link = await this.linkOf(file, upload);
    return {
      ...{ name, format, contentType, width, height, bytes, sha256 },
      url: link?.url ?? null,
      expiresAt: link?.expiresAt ?? null,
    };
  }

  private async linkOf(file: FileRecord, upload: string): Promise<ArtifactLink | undefined> {
    const { expiresAt: ends, expired, location, contentType, bytes, sha256, name, format } = file;
    if (ends === null || expired) return undefined;
    const expiresAt = new Date(Math.min(Date.parse(ends), Date.now() + LINK_TTL_MS));
    const filename = `${upload}-${name}.${format === 'jpeg' ? 'jpg' : format}`;
    const url = await this.resources.artifacts.signedUrl({ location, filename, contentType }, expiresAt);
    return { url, expiresAt: expiresAt.toISOString(), bytes, sha256, contentType, filename };
  }
}
