/** GET /jobs/{id}/messages: what became of each recipient's. */
import { Controller, Get, Param, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { parseAddress } from '../../../libs/emails/address.js';
import { messageIdOf } from '../../../libs/emails/compose.js';
import { listMessages, type MessageRecord } from '../../../libs/emails/message-log.store.js';
import { CHUNK_RECIPIENTS, readChunk } from '../../../libs/emails/recipient-lists.store.js';
import type { Recipient } from '../../../libs/emails/recipient-rows.js';
import { inTenant, type Connection } from '../../../libs/store/database.js';
import { inputAad } from '../../../libs/store/job-input.store.js';
import { EmailRequest } from '../../../workflows/email-message.js';
import { ApiResources } from '../api.resources.js';
import { Door } from '../http/door.decorator.js';
import { linkNext } from '../http/page.js';
import { LIMIT_DEFAULT } from '../http/page.schema.js';
import { tenantOf } from '../http/request.js';
import { ZodPipe } from '../http/zod.pipe.js';
import { JobReader } from '../jobs/job.reader.js';
import { mustFind } from '../jobs/jobs.controller.js';
import { Operation } from '../openapi/operation.decorator.js';
import { MessageQuery, type Message, type MessageParameters } from './email.schema.js';
import { messageView } from './email.view.js';

@Controller()
export class MessagesController {
  constructor(
    private readonly resources: ApiResources,
    private readonly reader: JobReader,
  ) {}

  @Get('jobs/:id/messages')
  @Door('client')
  @Operation('listJobMessages')
  async list(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Query(new ZodPipe(MessageQuery)) query: MessageParameters,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ items: Message[] }> {
    const tenantId = tenantOf(request);
    await mustFind(this.reader, tenantId, id);
    const { status, from = 0, limit = LIMIT_DEFAULT } = query;
    reply.header('cache-control', 'no-store');
    return inTenant(this.resources.database, tenantId, async (tx) => {
      const found = await listMessages(tx, id, { state: status, from, limit: limit + 1 });
      const [page, next] = [found.slice(0, limit), found[limit]];
      const url = `${this.resources.settings.publicUrl}/jobs/${id}/messages`;
      if (next) linkNext(reply, url, { status, limit, from: next.ordinal });
      return { items: page.length === 0 ? [] : await this.views(tx, { tenantId, id }, page) };
    });
  }

  private async views(
    tx: Connection,
    job: { readonly tenantId: string; readonly id: string },
    records: readonly MessageRecord[],
  ): Promise<Message[]> {
    const { cipher, settings } = this.resources;
    const { rows } = await tx.query<{ input: Buffer }>('select input from longhaul.jobs where id = $1', [
      job.id,
    ]);
    const sealed = rows[0]?.input;
    const input =
      sealed &&
      EmailRequest.parse(
        JSON.parse((await cipher.decrypt(job.tenantId, sealed, inputAad(job))).toString('utf8')),
      );
    const from = input?.from ?? settings.emails.from;
    const chunks = new Map<number, readonly Recipient[] | undefined>();
    const views: Message[] = [];
    for (const record of records) {
      const chunk = Math.floor(record.ordinal / CHUNK_RECIPIENTS);
      if (input?.list !== undefined && !chunks.has(chunk)) {
        chunks.set(chunk, await readChunk(tx, cipher, { tenantId: job.tenantId, listId: input.list, chunk }));
      }
      const to = oneOf(input) ?? chunks.get(chunk)?.[record.ordinal % CHUNK_RECIPIENTS]?.address;
      views.push(
        messageView(record, { to, messageId: from && messageIdOf(job.id, record.ordinal, from.address) }),
      );
    }
    return views;
  }
}

/** The only recipient there is, as the message goes to it. */
function oneOf(input: EmailRequest | undefined): string | undefined {
  const parsed = input?.to && parseAddress(input.to.address);
  return parsed?.ok ? parsed.address : undefined;
}
