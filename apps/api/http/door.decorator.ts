/** `@Door('client')`: which keys open a route. Every route has one; the server refuses to boot on one without. */
import { RouteConfig } from '@nestjs/platform-fastify';
import type { RequiredRole } from '../auth/principal.js';

export interface DoorOptions {
  /** The route only refuses, and does not count as one. */
  readonly hidden?: boolean;
  /** Media types whose bodies it takes as they arrive, instead of JSON; of a whole family as `image/*`. */
  readonly streams?: readonly string[];
}

/** Marks a handler. */
export function Door(role: RequiredRole, options: DoorOptions = {}): MethodDecorator {
  return RouteConfig({ role, ...options });
}
