/** Reads a tenant's data keys and unwraps them; keeps a bounded number for a bounded time. */
import { createSecretKey, type KeyObject } from 'node:crypto';
import { parse as parseUuid } from 'uuid';
import { inTenant, type Database } from '../store/database.js';
import { CipherError } from './cipher.error.js';
import { deriveKey, masterKeyIdOf, unwrapKey } from './master-key.js';

/** Of the format of sealed data. */
export const SEALED_VERSION = 1;

/** One data key, as the two keys derived from it. */
export interface DataKey {
  readonly id: string;
  /** What begins everything sealed with it: version and key id. */
  readonly header: Buffer;
  readonly sealing: KeyObject;
  readonly digesting: KeyObject;
}

/** A tenant's keys: all that are not destroyed, newest first, and the ids of those that are. */
export interface KeyRing {
  readonly keys: readonly DataKey[];
  readonly destroyed: ReadonlySet<string>;
}

export interface KeyRingOptions {
  /** How long a key may be used after it was read: within this time a destroyed key is forgotten everywhere. */
  readonly ttlMs?: number;
  /** Tenants whose keys are held in memory at most; the least recently used goes first. */
  readonly tenantsMax?: number;
}

export interface KeyRings {
  /** The tenant's keys; `fresh` reads them again (a key made by another process a moment ago). */
  of(tenantId: string, fresh?: boolean): Promise<KeyRing>;
  /** Drops what is held of one tenant, or of all. */
  forget(tenantId?: string): void;
}

const TTL_MS = 30_000;
const TENANTS_MAX = 1_000;
const KEYS_A_TENANT_MAX = 100;

interface Held {
  readonly ring: Promise<KeyRing>;
  readonly until: number;
}

/** Key rings read through `database` (any role) and unwrapped by `masterKey`. */
export function createKeyRings(
  database: Database,
  masterKey: Uint8Array,
  options: KeyRingOptions = {},
): KeyRings {
  const ttlMs = options.ttlMs ?? TTL_MS;
  const tenantsMax = options.tenantsMax ?? TENANTS_MAX;
  const held = new Map<string, Held>();
  /** Used last: it is at the end of the map already. */
  let latest: string | undefined;

  const load = (tenantId: string): Promise<KeyRing> => {
    const ring = readKeyRing(database, masterKey, tenantId);
    const entry: Held = { ring, until: performance.now() + ttlMs };
    held.delete(tenantId);
    held.set(tenantId, entry);
    latest = tenantId;
    const oldest = held.keys().next();
    if (held.size > tenantsMax && !oldest.done) held.delete(oldest.value);
    // A failed read is nobody's key ring: the next caller tries again.
    ring.catch(() => held.get(tenantId) === entry && held.delete(tenantId));
    return ring;
  };

  return {
    of: (tenantId, fresh = false) => {
      const entry = held.get(tenantId);
      if (!entry || fresh || entry.until <= performance.now()) return load(tenantId);
      if (tenantId !== latest) {
        held.delete(tenantId);
        held.set(tenantId, entry);
        latest = tenantId;
      }
      return entry.ring;
    },
    forget: (tenantId) => {
      if (tenantId === undefined) held.clear();
      else held.delete(tenantId);
    },
  };
}

async function readKeyRing(database: Database, masterKey: Uint8Array, tenantId: string): Promise<KeyRing> {
  const { rows } = await inTenant(database, tenantId, (connection) =>
    connection.query<{ id: string; wrapped: Buffer | null; master_key_id: string }>(
      `select id, wrapped, master_key_id from longhaul.tenant_keys
       where tenant_id = $1 order by created_at desc, id desc limit ${KEYS_A_TENANT_MAX}`,
      [tenantId],
    ),
  );
  if (rows.length === 0) throw new CipherError('tenant_key_unknown', `Tenant ${tenantId} has no data key.`);
  const masterKeyId = masterKeyIdOf(masterKey);
  const keys: DataKey[] = [];
  const destroyed = new Set<string>();
  for (const row of rows) {
    if (row.wrapped === null) {
      destroyed.add(row.id);
      continue;
    }
    if (row.master_key_id !== masterKeyId) {
      throw new CipherError(
        'master_key_mismatch',
        `The data key ${row.id} was wrapped by master key ${row.master_key_id}, this process has ${masterKeyId}; ` +
          `start with the LONGHAUL_MASTER_KEY that made it.`,
      );
    }
    const dataKey = unwrapKey(masterKey, row.wrapped, tenantId, row.id);
    keys.push({
      id: row.id,
      header: Buffer.concat([Buffer.of(SEALED_VERSION), parseUuid(row.id)]),
      sealing: createSecretKey(deriveKey(dataKey, 'data-key/seal')),
      digesting: createSecretKey(deriveKey(dataKey, 'data-key/digest')),
    });
  }
  return { keys, destroyed };
}
