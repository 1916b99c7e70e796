/** `@Door('client')`: which keys open a route. Every route has one; the server refuses to boot on one without. */
import { RouteConfig } from '@nestjs/platform-fastify';
import type { RequiredRole } from '../auth/principal.js';

/** `hidden`: the route only refuses, and does not count as one. `takes`: bytes, streamed, instead of JSON. */
export function Door(
  role: RequiredRole,
  options: { readonly hidden?: boolean; readonly takes?: 'bytes' } = {},
): MethodDecorator {
  return RouteConfig({ role, ...options });
}
