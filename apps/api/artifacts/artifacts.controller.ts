/** GET /artifacts/…: the folder store's signed URLs. The URL is the permission; no key is asked for. */
import { Controller, Get, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { attachment } from '../../../libs/artifacts/attachment.js';
import { isFolderStore } from '../../../libs/artifacts/folder-store.js';
import { parseRange, type ByteRange } from '../../../libs/artifacts/range.js';
import { artifactSecretOf, verifySignedUrl } from '../../../libs/artifacts/signed-url.js';
import { ApiResources } from '../api.resources.js';
import { Door } from '../http/door.decorator.js';
import { matchesEtag } from '../jobs/headers.js';
import { Operation } from '../openapi/operation.decorator.js';
import { Problem } from '../problems/problem.js';

@Controller('artifacts')
export class ArtifactsController {
  private readonly secret: Buffer;

  constructor(private readonly resources: ApiResources) {
    this.secret = artifactSecretOf(resources.settings.masterKey);
  }

  @Get('*')
  @Door('public')
  @Operation('getArtifact')
  async serve(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { location, filename, contentType } = this.verified(request);
    const store = this.resources.artifacts;
    // A link from before the artifacts moved to a bucket: whatever it named is there no more.
    const known = isFolderStore(store) ? await store.head(location) : undefined;
    if (!known || !isFolderStore(store))
      throw new Problem('result_expired', 'The file was kept as long as its kind says, and is gone.');
    const etag = `"${known.sha256}"`;
    const range = rangeOf(request, known.bytes, etag);
    reply.headers({
      'content-type': contentType,
      'content-disposition': attachment(filename),
      'x-content-type-options': 'nosniff',
      // Its digest is of these very bytes: nobody on the way may encode them.
      'cache-control': 'private, no-transform',
      'repr-digest': `sha-256=:${Buffer.from(known.sha256, 'hex').toString('base64')}:`,
      'accept-ranges': 'bytes',
      etag,
    });
    if (matchesEtag(request.headers['if-none-match'], etag)) {
      await reply.code(304).send();
      return;
    }
    const part = range === 'whole' ? undefined : range;
    reply.code(part ? 206 : 200).header('content-length', part ? part.end - part.start + 1 : known.bytes);
    if (part) reply.header('content-range', `bytes ${part.start}-${part.end}/${known.bytes}`);
    if (request.method === 'HEAD') {
      // An empty stream leaves Content-Length as it is; an empty text would make it 0.
      await reply.send(Readable.from([]));
      return;
    }
    const body = await store.read(location, part);
    if (!body) throw new Problem('result_expired', 'The file is gone since a moment ago.');
    await reply.send(body.stream);
  }

  private verified(request: FastifyRequest): { location: string; filename: string; contentType: string } {
    const verdict = verifySignedUrl(request.raw.url ?? '', this.secret, new Date());
    if (verdict.ok) return verdict;
    throw verdict.reason === 'expired'
      ? new Problem('link_expired', 'The link was good for a while, and that is over.')
      : new Problem('invalid_signature', 'The link was not made here, or not for this file.');
  }
}

function rangeOf(request: FastifyRequest, bytes: number, etag: string): ByteRange | 'whole' {
  const condition = request.headers['if-range'];
  // Another version than the client began with: it gets the whole one (RFC 9110, 13.1.5).
  if (condition !== undefined && condition !== etag) return 'whole';
  const range = parseRange(request.headers.range, bytes);
  if (range !== 'unsatisfiable') return range;
  throw new Problem('range_not_satisfiable', `The file has ${bytes} bytes.`, {
    headers: { 'content-range': `bytes */${bytes}` },
  });
}
