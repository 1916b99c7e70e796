/**
 * The codec server: opens and seals Temporal payloads for operators, so that the Web UI and the CLI show what a
 * history says. The Web UI of the embedded stack has no way to send a key (it knows an endpoint and nothing else), so
 * the endpoint itself can carry a token: `/codec/ui/{token}/decode`, off unless LONGHAUL_CODEC_UI_TOKEN is set.
 */
import { Controller, Param, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { createHash, timingSafeEqual } from 'node:crypto';
import { CodecBodyInvalid, type CodecBody } from '../../../libs/temporal/codec.js';
import { ApiResources } from '../api.resources.js';
import { Door } from '../http/door.decorator.js';
import { bodyOf } from '../http/request.js';
import { Operation } from '../openapi/operation.decorator.js';
import { Problem } from '../problems/problem.js';

@Controller('codec')
export class CodecController {
  constructor(private readonly resources: ApiResources) {}

  @Post('encode')
  @Door('operator')
  @Operation('encodePayloads')
  async encode(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CodecBody> {
    reply.code(200);
    return orRefuse(this.resources.codec.encodePayloads(bodyOf(request).value));
  }

  @Post('decode')
  @Door('operator')
  @Operation('decodePayloads')
  async decode(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CodecBody> {
    reply.code(200);
    return orRefuse(this.resources.codec.decodePayloads(bodyOf(request).value));
  }

  /** The Web UI's door. It opens only: who can read a history there must not be able to write one. */
  @Post('ui/:token/decode')
  @Door('public')
  @Operation('decodePayloadsForUi')
  async decodeForUi(
    @Req() request: FastifyRequest,
    @Param('token') token: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CodecBody> {
    const expected = this.resources.settings.codecUiToken;
    if (expected === undefined || !sameToken(token, expected)) {
      throw new Problem(
        'unauthenticated',
        'The token in the path is not the one this stack was started with.',
        {
          headers: { 'www-authenticate': 'Bearer realm="longhaul"' },
        },
      );
    }
    reply.code(200);
    return orRefuse(this.resources.codec.decodePayloads(bodyOf(request).value));
  }
}

async function orRefuse(answer: Promise<CodecBody>): Promise<CodecBody> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof CodecBodyInvalid)) throw error;
    throw new Problem('validation_failed', error.message, {
      errors: [{ pointer: '/payloads', detail: error.message }],
      cause: error,
    });
  }
}

function sameToken(given: string, expected: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(given), hash(expected));
}
