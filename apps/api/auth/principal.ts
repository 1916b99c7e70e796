/** Who asks. */
import type { ApiKeyRole } from '../../../libs/security/api-key.js';

/** `any`: a valid key of whatever role. `public`: no key. `client` means exactly a tenant's key. */
export type RequiredRole = 'public' | 'any' | 'client' | 'operator' | 'admin';

export interface Principal {
  readonly keyId: string;
  readonly role: ApiKeyRole;
  /** A client's tenant; operator and admin keys have none. */
  readonly tenantId: string | undefined;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set on every route that is not public, before the body is read. */
    principal: Principal | undefined;
  }
  interface FastifyContextConfig {
    role?: RequiredRole;
    /** A door that only refuses; it does not count as a route. */
    hidden?: boolean;
    /** Media types whose bodies it takes as they arrive, instead of JSON. */
    streams?: readonly string[];
  }
}
