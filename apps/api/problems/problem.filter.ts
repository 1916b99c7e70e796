/** The one exception filter: whatever was thrown becomes problem+json, and only surprises are logged. */
import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiResources } from '../api.resources.js';
import { allowedMethods } from '../http/route-table.js';
import { BODY_BYTES_MAX } from '../http/limits.js';
import { wrongMediaType } from '../http/streamed-body.js';
import { traceOf } from '../http/trace.js';
import { isDatabaseAway, isDatabaseBusy } from './database-errors.js';
import { Problem, PROBLEM_MEDIA_TYPE, toProblemDocument } from './problem.js';

const RETRY_AFTER_AWAY_SECONDS = '2';
const RETRY_AFTER_BUSY_SECONDS = '1';

@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly resources: ApiResources) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const problem = toProblem(error, request);
    if (problem.status >= 500) {
      const level = problem.code === 'database_unavailable' ? 'warn' : 'error';
      this.resources.log[level](
        { err: problem.cause ?? error, traceId: traceOf(request).traceId },
        'a request failed',
      );
    }
    sendProblem(reply, request, problem, this.resources.settings.publicUrl);
  }
}

/** Sends a problem as the answer to a request. */
export function sendProblem(
  reply: FastifyReply,
  request: FastifyRequest,
  problem: Problem,
  publicUrl: string,
): void {
  if (reply.sent || reply.raw.headersSent) {
    reply.raw.destroy();
    return;
  }
  for (const header of ['etag', 'location', 'content-length', 'content-disposition', 'accept-ranges']) {
    reply.removeHeader(header);
  }
  const { traceId } = traceOf(request);
  const document = toProblemDocument(problem.toBody(), {
    publicUrl,
    instance: pathOf(request),
    traceId,
  });
  void reply
    .code(problem.status)
    .headers({ ...problem.headers, 'cache-control': 'no-store', 'x-trace-id': traceId })
    .type(PROBLEM_MEDIA_TYPE)
    // As bytes: Fastify would serialise an object only under a JSON type it knows.
    .send(Buffer.from(JSON.stringify(document)));
}

/** The path as it was asked for, without its query (it may carry a signature). */
export function pathOf(request: FastifyRequest): string {
  const url = request.raw.url ?? '/';
  return url.split('?', 1)[0] ?? '/';
}

/** Classifies anything thrown. What nobody foresaw is an internal error. */
export function toProblem(error: unknown, request: FastifyRequest): Problem {
  if (error instanceof Problem) return error;
  if (isDatabaseAway(error)) {
    return new Problem(
      'database_unavailable',
      'The database does not answer. Nothing was changed that you were not told.',
      {
        headers: { 'retry-after': RETRY_AFTER_AWAY_SECONDS },
        cause: error,
      },
    );
  }
  if (isDatabaseBusy(error)) {
    return new Problem('job_busy', 'Somebody else is changing the same job; it took too long to wait for.', {
      headers: { 'retry-after': RETRY_AFTER_BUSY_SECONDS },
      cause: error,
    });
  }
  return (
    fromFramework(error, request) ?? new Problem('internal_error', 'An unexpected error.', { cause: error })
  );
}

/** Fastify's and Nest's own refusals, by code and status. */
function fromFramework(error: unknown, request: FastifyRequest): Problem | undefined {
  const source = error instanceof HttpException && error.cause instanceof Error ? error.cause : error;
  const code = (source as { code?: unknown } | undefined)?.code;
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new Problem('body_too_large', `The body is over ${BODY_BYTES_MAX} bytes.`);
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
    case 'FST_ERR_CTP_EMPTY_TYPE':
    case 'FST_ERR_CTP_INVALID_TYPE':
      return wrongMediaType(request);
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new Problem('invalid_request', 'The body is not as long as Content-Length says.');
    case 'FST_ERR_BAD_URL':
      return new Problem('invalid_request', 'The URL is not properly percent-encoded.');
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new Problem('uri_too_long', 'A part of the path is longer than any of ours.');
  }
  if (error instanceof HttpException) {
    const status = error.getStatus();
    // A route took the path, and its handler found nothing there: `/jobs/`, `/docs/nope.js`.
    if (status === 404) return notFound(request);
    if (status === 414) return new Problem('uri_too_long', 'A part of the path is longer than any of ours.');
    if (status >= 400 && status < 500) return new Problem('invalid_request', error.message, { cause: error });
  }
  return undefined;
}

/** 404, or 405 where the path is known: what to answer a request that no route takes. */
export function notFound(request: FastifyRequest): Problem {
  const allowed = allowedMethods(request.server, pathOf(request));
  if (allowed.length > 0 && !allowed.includes(request.method)) {
    return new Problem(
      'method_not_allowed',
      `${request.method} is not allowed here; ${allowed.join(', ')} are.`,
      {
        headers: { allow: allowed.join(', ') },
      },
    );
  }
  return new Problem('route_not_found', `There is no ${request.method} ${pathOf(request)}.`);
}
