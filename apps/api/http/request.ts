/** What handlers ask of a request that passed the hooks. */
import type { FastifyRequest } from 'fastify';
import { Problem } from '../problems/problem.js';
import type { JsonBody } from './json-body.js';

/** The tenant of a request on a route with role `client`. */
export function tenantOf(request: FastifyRequest): string {
  const tenantId = request.principal?.tenantId;
  if (tenantId === undefined)
    throw new Error(`${request.url} reads a tenant, but its route does not ask for one`);
  return tenantId;
}

/** Who asks, for the audit log. */
export function actorOf(request: FastifyRequest): string {
  const { principal } = request;
  if (!principal) throw new Error(`${request.url} is audited, but its route does not ask for a key`);
  return `${principal.role} key ${principal.keyId}`;
}

/** The inspected body; `{ value: undefined }` where none was sent. */
export function optionalBody(request: FastifyRequest): JsonBody {
  return (request.body as JsonBody | undefined) ?? { value: undefined, errors: [] };
}

/** The inspected body; throws Problem 400 where none was sent. */
export function bodyOf(request: FastifyRequest): JsonBody {
  const body = optionalBody(request);
  if (body.value === undefined)
    throw new Problem('invalid_json', 'The body is empty; expected a JSON object.');
  return body;
}
