/** /recipient-lists: to whom messages go, uploaded once and stored sealed. */
import { Controller, Delete, Get, Param, Post, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { validate as isUuid } from 'uuid';
import { deleteList, findList, listLists } from '../../../libs/emails/recipient-lists.store.js';
import { UnreadableList, type RowFormat } from '../../../libs/emails/recipient-rows.js';
import { RECIPIENTS_MAX, storeUpload, type Upload } from '../../../libs/emails/recipient-upload.js';
import { VARIABLES_MAX } from '../../../libs/emails/variables.js';
import { inTenant } from '../../../libs/store/database.js';
import { ApiResources } from '../api.resources.js';
import { Door } from '../http/door.decorator.js';
import { readPage } from '../http/page.js';
import { PageQuery, type PageParameters } from '../http/page.schema.js';
import { RECIPIENT_LIST_BYTES_MAX } from '../http/limits.js';
import { tenantOf } from '../http/request.js';
import { receive, type Bounds } from '../http/streamed-body.js';
import { ZodPipe } from '../http/zod.pipe.js';
import { NoQuery } from '../jobs/job-requests.schema.js';
import { Operation } from '../openapi/operation.decorator.js';
import { Problem } from '../problems/problem.js';
import {
  TTL_DAYS_DEFAULT,
  UploadQuery,
  type RecipientList,
  type UploadedList,
  type UploadParameters,
} from './email.schema.js';
import { listView } from './email.view.js';

const FORMATS: Readonly<Record<string, RowFormat>> = { 'text/csv': 'csv', 'application/x-ndjson': 'ndjson' };
const BOUNDS: Bounds = {
  bytesMax: RECIPIENT_LIST_BYTES_MAX,
  tooLarge: (bytesMax) => new Problem('body_too_large', `The list is over ${bytesMax} bytes.`),
};

@Controller('recipient-lists')
export class RecipientListsController {
  constructor(private readonly resources: ApiResources) {}

  @Post()
  @Door('client', { streams: Object.keys(FORMATS) })
  @Operation('uploadRecipientList')
  async upload(
    @Req() request: FastifyRequest,
    @Query(new ZodPipe(UploadQuery)) { name, ttlDays = TTL_DAYS_DEFAULT, onBadRows }: UploadParameters,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<UploadedList> {
    const { database, cipher, settings } = this.resources;
    const upload = await receive(request, BOUNDS, async ({ mediaType, bytes }) =>
      storedOf(
        storeUpload({ database, cipher }, bytes, {
          tenantId: tenantOf(request),
          name,
          ttlDays,
          format: FORMATS[mediaType] ?? 'csv',
          skipsBadRows: onBadRows === 'skip',
        }),
      ),
    );
    const view = listView(upload.list, settings.publicUrl);
    reply.code(201).header('location', view.links.self).header('cache-control', 'no-store');
    return { ...view, badRows: upload.bad.map(({ line, problem }) => ({ line, detail: problem })) };
  }

  @Get()
  @Door('client')
  @Operation('listRecipientLists')
  async list(
    @Req() request: FastifyRequest,
    @Query(new ZodPipe(PageQuery)) query: PageParameters,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ items: RecipientList[] }> {
    const { publicUrl } = this.resources.settings;
    const page = await readPage(reply, {
      url: `${publicUrl}/recipient-lists`,
      query,
      of: 'recipientLists',
      read: (place) => inTenant(this.resources.database, tenantOf(request), (tx) => listLists(tx, place)),
    });
    return { items: page.map((record) => listView(record, publicUrl)) };
  }

  @Get(':id')
  @Door('client')
  @Operation('getRecipientList')
  async read(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Query(new ZodPipe(NoQuery)) _query: object,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<RecipientList> {
    const record = isUuid(id)
      ? await inTenant(this.resources.database, tenantOf(request), (tx) => findList(tx, id))
      : undefined;
    if (!record) throw listNotFound();
    reply.header('cache-control', 'no-store');
    return listView(record, this.resources.settings.publicUrl);
  }

  @Delete(':id')
  @Door('client')
  @Operation('deleteRecipientList')
  async remove(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    const gone =
      isUuid(id) && (await inTenant(this.resources.database, tenantOf(request), (tx) => deleteList(tx, id)));
    if (!gone) throw listNotFound();
    reply.code(204);
  }
}

/** What is not stored says why; what is no list at all, where. */
async function storedOf(storing: Promise<Upload>): Promise<Upload & { kind: 'stored' }> {
  const upload = await storing.catch((error: unknown) => {
    if (!(error instanceof UnreadableList)) throw error;
    throw new Problem('recipient_list_invalid', error.message, {
      errors: [{ pointer: `/${error.line}`, detail: error.message }],
    });
  });
  if (upload.kind !== 'stored') throw refusalOf(upload);
  return upload;
}

function refusalOf(upload: Exclude<Upload, { kind: 'stored' }>): Problem {
  switch (upload.kind) {
    case 'refused': {
      const more = upload.badCount - upload.bad.length;
      return new Problem(
        'recipient_list_invalid',
        `${upload.badCount} rows are not usable; nothing was stored.`,
        {
          errors: [
            ...upload.bad.map(({ line, problem }) => ({
              pointer: `/${line}`,
              detail: `Line ${line}: ${problem}`,
            })),
            ...(more > 0 ? [{ pointer: '', detail: `and ${more} more` }] : []),
          ],
        },
      );
    }
    case 'empty':
      return new Problem('recipient_list_invalid', 'The list has no recipient.');
    case 'too_long':
      return new Problem('recipient_list_invalid', `The list has more than ${RECIPIENTS_MAX} recipients.`);
    case 'too_wide':
      return new Problem('recipient_list_invalid', `The list has more than ${VARIABLES_MAX} columns.`);
  }
}

function listNotFound(): Problem {
  return new Problem('recipient_list_not_found', 'There is no such list, or it is over its time.');
}
