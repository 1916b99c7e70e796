/** GET /documents/{template}/{object}: a document by what it is of, without its job's id. */
import { Controller, Get, Param, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { findDocument } from '../../../libs/documents/documents.store.js';
import { inTenant } from '../../../libs/store/database.js';
import { DocumentPdfInput } from '../../../workflows/document-pdf.job.js';
import { ApiResources } from '../api.resources.js';
import { Door } from '../http/door.decorator.js';
import { tenantOf } from '../http/request.js';
import { ZodPipe } from '../http/zod.pipe.js';
import { resultExpired, sendArtifact } from '../jobs/artifact.answer.js';
import { JobReader } from '../jobs/job.reader.js';
import type { ArtifactLink } from '../jobs/job.schema.js';
import { mustFind } from '../jobs/jobs.controller.js';
import { Operation } from '../openapi/operation.decorator.js';
import { Problem } from '../problems/problem.js';
import { DocumentQuery, type DocumentParameters } from './document-query.schema.js';

@Controller('documents')
export class DocumentsController {
  constructor(
    private readonly resources: ApiResources,
    private readonly reader: JobReader,
  ) {}

  @Get(':template/:object')
  @Door('client')
  @Operation('getDocument')
  async read(
    @Req() request: FastifyRequest,
    @Param('template') template: string,
    @Param('object') object: string,
    @Query(new ZodPipe(DocumentQuery)) query: DocumentParameters,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ArtifactLink | undefined> {
    const tenantId = tenantOf(request);
    const { shape } = DocumentPdfInput;
    // What no document is called has none, and need not reach the database.
    const isName = shape.template.safeParse(template).success && shape.object.safeParse(object).success;
    const found =
      isName &&
      (await inTenant(this.resources.database, tenantId, async (tx) =>
        findDocument(tx, { template, object, version: query.version }),
      ));
    if (!found) throw new Problem('document_not_found', 'No such document has been made yet.');
    const { record } = await mustFind(this.reader, tenantId, found.jobId);
    if (!record.artifact) throw resultExpired();
    const self = `${this.resources.settings.publicUrl}/documents/${template}/${encodeURIComponent(object)}`;
    reply.header('content-location', `${self}?version=${found.version}`);
    return sendArtifact(this.resources.artifacts, record.artifact, request, reply);
  }
}
