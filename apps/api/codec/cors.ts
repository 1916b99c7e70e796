/** CORS for the codec server alone: the Temporal Web UI asks it from another origin. No other route allows any. */
import type { FastifyReply, FastifyRequest } from 'fastify';

const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]'];
const PREFLIGHT_SECONDS = '600';

/** Sets the headers where they are due; answers true when it has answered a preflight. */
export function answerCors(request: FastifyRequest, reply: FastifyReply, uiUrl: string | undefined): boolean {
  const { origin } = request.headers;
  if (!request.raw.url?.startsWith('/codec/') || origin === undefined) return false;
  reply.header('vary', 'origin');
  const allowed = originsOf(uiUrl).includes(origin);
  if (allowed) {
    reply.headers({
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'x-trace-id',
    });
  }
  const preflight =
    request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined;
  if (!preflight) return false;
  if (allowed) {
    reply.headers({
      'access-control-allow-methods': 'POST, OPTIONS',
      'access-control-allow-headers': 'content-type, x-namespace, authorization, traceparent',
      'access-control-max-age': PREFLIGHT_SECONDS,
    });
  }
  void reply.code(204).send();
  return true;
}

/** The Web UI's origin; on this machine, under each of its names. */
function originsOf(uiUrl: string | undefined): string[] {
  if (uiUrl === undefined) return [];
  const { protocol, hostname, port, origin } = new URL(uiUrl);
  if (!LOOPBACK.includes(hostname)) return [origin];
  return LOOPBACK.map((host) => `${protocol}//${host}${port === '' ? '' : `:${port}`}`);
}
