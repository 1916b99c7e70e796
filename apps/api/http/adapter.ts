/** Fastify as the API needs it: limits, one body parser, traces, authentication before bodies, problem+json throughout. */
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { requestSeconds } from '../api.metrics.js';
import type { ApiResources } from '../api.resources.js';
import type { Authenticator } from '../auth/authenticator.js';
import { answerCors } from '../codec/cors.js';
import { Problem, PROBLEM_MEDIA_TYPE, toProblemDocument } from '../problems/problem.js';
import { notFound, sendProblem, toProblem } from '../problems/problem.filter.js';
import type { ProblemCode } from '../problems/problem.table.js';
import {
  BODY_BYTES_MAX,
  HEADER_BYTES_MAX,
  PARAM_LENGTH_MAX,
  REQUEST_TIMEOUT_MS,
  UPLOAD_TIMEOUT_MS,
} from './limits.js';
import { readJsonBody } from './json-body.js';
import { trackRoutes } from './route-table.js';
import { streamedType, wrongMediaType } from './streamed-body.js';
import { traceOf } from './trace.js';

const TRACE_BYTES = 16;
/** Routes that are not of our controllers: the pages of the documentation. */
const UNMARKED_ROUTES = /^\/docs(?:\/|$)|^\/openapi\.json$/;
const MS_PER_SECOND = 1_000;

/** The adapter, before Nest adds its routes. */
export function createAdapter(resources: ApiResources): FastifyAdapter {
  const { publicUrl } = resources.settings;
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_BYTES_MAX,
    // Of uploads; other requests are held to theirs one by one.
    requestTimeout: UPLOAD_TIMEOUT_MS,
    routerOptions: { maxParamLength: PARAM_LENGTH_MAX },
    // The host is never read: URLs are built from PUBLIC_URL.
    http: {
      maxHeaderSize: HEADER_BYTES_MAX,
      requireHostHeader: false,
      headersTimeout: REQUEST_TIMEOUT_MS,
    },
    // A request that comes in while we shut down is served; its connection is closed afterwards.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) =>
      sendProblem(reply, request, toProblem(error, request), publicUrl),
    clientErrorHandler: (error: Error & { code?: string }, socket: Socket) =>
      answerBrokenRequest(error, socket, publicUrl),
  });
  const instance = instanceOf(adapter);
  // An `Expect` that nobody knows is ignored, as it may be; Node would answer 417 without a trace or a problem.
  instance.server.on('checkExpectation', (request, response) => {
    instance.server.emit('request', request, response);
  });
  trackRoutes(instance);
  installBodyParser(instance);
  return adapter;
}

/** The server inside; the adapter's own type of it is generic over every server there is. */
function instanceOf(adapter: FastifyAdapter): FastifyInstance {
  return adapter.getInstance<FastifyInstance>();
}

/** Hooks that come before everything Nest does. */
export function installHooks(
  adapter: FastifyAdapter,
  resources: ApiResources,
  authenticator: () => Authenticator,
): void {
  const instance = instanceOf(adapter);
  const { settings, log } = resources;
  instance.decorateRequest('principal', undefined);

  instance.addHook('onRoute', (route) => {
    const marked = (route.config as { role?: string } | undefined)?.role !== undefined;
    if (marked || UNMARKED_ROUTES.test(route.url)) return;
    throw new Error(`Route ${String(route.method)} ${route.url} says nothing of keys; give it @Door(…)`);
  });
  instance.addHook('onRequest', async (request, reply) => {
    reply.header('x-trace-id', traceOf(request).traceId);
    if (answerCors(request, reply, settings.temporal.uiUrl)) return reply;
    // Before its body is read or found fault with.
    if (request.is404) throw notFound(request);
    const waitOnward = limitArrival(request);
    const role = request.routeOptions.config?.role ?? 'public';
    if (role !== 'public') {
      request.principal = await authenticator().admit(request.headers.authorization, role);
    }
    const encoding = request.headers['content-encoding'];
    if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
      throw new Problem('unsupported_media_type', 'Bodies are taken without Content-Encoding.');
    }
    // Whoever may upload has bounds of its own from here on.
    if (streamedType(request) !== undefined) waitOnward();
    return undefined;
  });
  instance.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none';
    const status = String(reply.statusCode);
    requestSeconds.observe({ method: request.method, route, status }, reply.elapsedTime / MS_PER_SECOND);
    const level = reply.statusCode < 400 ? 'debug' : 'info';
    if (!log.isLevelEnabled(level)) {
      done();
      return;
    }
    log[level](
      {
        method: request.method,
        route,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 10) / 10,
        traceId: traceOf(request).traceId,
        keyId: request.principal?.keyId,
      },
      'answered',
    );
    done();
  });
}

/** A body that trickles in is cut off, as Node does it for whole requests: the same for all of them, whatever they are. The answer lifts it. */
function limitArrival({ raw, server }: FastifyRequest): () => void {
  if (
    raw.complete ||
    (raw.headers['transfer-encoding'] === undefined && !Number(raw.headers['content-length']))
  )
    return () => undefined;
  const late = Object.assign(new Error('the body did not arrive in time'), {
    code: 'ERR_HTTP_REQUEST_TIMEOUT',
  });
  const timer = setTimeout(() => server.server.emit('clientError', late, raw.socket), REQUEST_TIMEOUT_MS);
  const stop = (): void => clearTimeout(timer);
  raw.once('end', stop).once('close', stop);
  return stop;
}

/** JSON, or what the route takes as it arrives. What is wrong with single values of JSON travels along with the body. */
function installBodyParser(instance: FastifyInstance): void {
  instance.removeAllContentTypeParsers();
  instance.addContentTypeParser('*', (request, stream, done) => {
    if (streamedType(request) === undefined) done(wrongMediaType(request));
    else done(null, stream);
  });
  instance.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer', bodyLimit: BODY_BYTES_MAX },
    (request: FastifyRequest, body: string | Buffer, done: (error: Error | null, body?: unknown) => void) => {
      const charset = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(request.headers['content-type'] ?? '')?.[1];
      if (charset !== undefined && charset.toLowerCase() !== 'utf-8') {
        done(
          new Problem('unsupported_media_type', `Expected UTF-8, got charset ${JSON.stringify(charset)}.`),
        );
        return;
      }
      let parsed: unknown;
      try {
        parsed = readJsonBody(Buffer.isBuffer(body) ? body : Buffer.from(body));
      } catch (error) {
        done(error instanceof Error ? error : new Error(String(error)));
        return;
      }
      done(null, parsed);
    },
  );
}

/** What never became a request is answered by hand. */
function answerBrokenRequest(error: Error & { code?: string }, socket: Socket, publicUrl: string): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const [code, line, detail] = brokenness(error.code);
  const traceId = randomBytes(TRACE_BYTES).toString('hex');
  const body = JSON.stringify(toProblemDocument({ code, detail }, { publicUrl, instance: '/', traceId }));
  socket.end(
    [
      `HTTP/1.1 ${line}`,
      `Content-Type: ${PROBLEM_MEDIA_TYPE}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      `X-Trace-Id: ${traceId}`,
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}

function brokenness(code: string | undefined): [ProblemCode, string, string] {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return [
        'headers_too_large',
        '431 Request Header Fields Too Large',
        `URL and headers are over ${HEADER_BYTES_MAX} bytes.`,
      ];
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return [
        'request_timeout',
        '408 Request Timeout',
        `The request did not arrive within ${REQUEST_TIMEOUT_MS} ms, or an upload within ${UPLOAD_TIMEOUT_MS} ms.`,
      ];
    default:
      return ['invalid_request', '400 Bad Request', 'The request cannot be parsed as HTTP.'];
  }
}
