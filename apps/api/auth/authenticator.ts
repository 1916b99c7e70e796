/** Finds out whose key a request carries. Look-ups are kept for 2 s, so that accepting a job stays one round trip. */
import { Injectable } from '@nestjs/common';
import { timingSafeEqual } from 'node:crypto';
import { parseApiKey, secretMatches } from '../../../libs/security/api-key.js';
import { authenticate } from '../../../libs/store/jobs.store.js';
import { ApiResources } from '../api.resources.js';
import { Problem } from '../problems/problem.js';
import type { Principal, RequiredRole } from './principal.js';

type KeyRecord = Awaited<ReturnType<typeof authenticate>>;

interface HeldKey {
  readonly record: Promise<KeyRecord>;
  readonly until: number;
  /** The secret, once it was found to be the right one. */
  verified?: Buffer;
}

/** A revoked key is refused after this long at the latest. */
const KEY_TTL_MS = 2_000;
const KEYS_MAX = 10_000;
const RANKS = { client: 0, operator: 1, admin: 2 } as const;
const CHALLENGE = 'Bearer realm="longhaul"';

@Injectable()
export class Authenticator {
  private readonly held = new Map<string, HeldKey>();

  constructor(private readonly resources: ApiResources) {}

  /** The principal of an `Authorization` header, if it may do what `role` demands. Throws Problem 401 or 403. */
  async admit(authorization: string | undefined, role: Exclude<RequiredRole, 'public'>): Promise<Principal> {
    const principal = await this.identify(authorization);
    if (role === 'any') return principal;
    if (role === 'client') {
      if (principal.tenantId !== undefined) return principal;
      throw new Problem(
        'client_key_required',
        `This needs a client key; this one is an ${principal.role}'s.`,
      );
    }
    if (RANKS[principal.role] >= RANKS[role]) return principal;
    throw new Problem('role_too_low', `This needs a key of role ${role}; this one is a ${principal.role}'s.`);
  }

  private async identify(authorization: string | undefined): Promise<Principal> {
    const token = /^Bearer +([^\s]+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) {
      throw new Problem('unauthenticated', 'Expected `Authorization: Bearer lh_…`.', {
        headers: { 'www-authenticate': CHALLENGE },
      });
    }
    const key = parseApiKey(token);
    const held = key && key.env === this.resources.settings.env ? this.find(key.id) : undefined;
    const record = await held?.record;
    if (!key || !held || !record || !hasSecret(held, key.secret, record.secretSha256)) {
      throw new Problem('unauthenticated', 'The API key is unknown or revoked.', {
        headers: { 'www-authenticate': `${CHALLENGE}, error="invalid_token"` },
      });
    }
    return { keyId: key.id, role: record.role, tenantId: record.tenantId ?? undefined };
  }

  private find(keyId: string): HeldKey {
    const there = this.held.get(keyId);
    if (there && there.until > performance.now()) return there;
    const record = authenticate(this.resources.database, keyId);
    const entry: HeldKey = { record, until: performance.now() + KEY_TTL_MS };
    this.held.delete(keyId);
    this.held.set(keyId, entry);
    const oldest = this.held.keys().next();
    if (this.held.size > KEYS_MAX && !oldest.done) this.held.delete(oldest.value);
    // A failed look-up is nobody's answer: the next request asks again.
    record.catch(() => this.held.get(keyId) === entry && this.held.delete(keyId));
    return entry;
  }
}

/** Hashes a secret once while its record is held, and compares it then, in constant time either way. */
function hasSecret(held: HeldKey, secret: string, sha256: Uint8Array): boolean {
  const given = Buffer.from(secret);
  if (held.verified?.length === given.length && timingSafeEqual(held.verified, given)) return true;
  if (!secretMatches(secret, sha256)) return false;
  held.verified = given;
  return true;
}
