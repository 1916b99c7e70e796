/** Tenants, their data keys and API keys, as whoever owns the schema administers them. */
import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { inTransaction, type Connection } from '../store/database.js';
import { CipherError } from './cipher.error.js';
import { hashSecret, mintApiKey, type ApiKeyRole } from './api-key.js';
import { masterKeyIdOf, wrapKey } from './master-key.js';

/** A pool of the login that owns the schema: it administers tenants and keys, and of jobs it sees nothing. */
export type OwnerPool = pg.Pool;

export interface Tenant {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Date;
}

export interface ApiKeyRecord {
  readonly id: string;
  readonly tenantId: string | null;
  readonly tenantName: string | null;
  readonly role: ApiKeyRole;
  readonly name: string;
  readonly createdAt: Date;
  readonly revokedAt: Date | null;
}

const DATA_KEY_BYTES = 32;
const LISTED_MAX = 1_000;

/**
 * The tenant of that name, made with a data key of its own if it is not there; answers its id. Throws CipherError
 * `master_key_mismatch` where the database's keys were wrapped by another master key.
 */
export async function ensureTenant(owner: OwnerPool, name: string, masterKey: Uint8Array): Promise<string> {
  return inTransaction(owner, async (connection) => {
    await refuseForeignMasterKey(connection, masterKey);
    await connection.query(
      `insert into longhaul.tenants (id, name) values ($1, $2) on conflict (name) do nothing`,
      [uuidv7(), name],
    );
    // The row's lock lets one of two racing callers make the first key; the look at the keys comes after it.
    const { rows } = await connection.query<{ id: string }>(
      `select id from longhaul.tenants where name = $1 for update`,
      [name],
    );
    const [tenant] = rows;
    if (!tenant) throw new Error(`Tenant "${name}" vanished while it was made.`);
    const { rows: keys } = await connection.query(
      `select 1 from longhaul.tenant_keys where tenant_id = $1 limit 1`,
      [tenant.id],
    );
    if (keys.length === 0) await insertDataKey(connection, tenant.id, masterKey);
    return tenant.id;
  });
}

/** Gives the tenant a new data key: what is sealed from now on uses it, older data stays readable. Answers its id. */
export async function rotateTenantKey(
  owner: OwnerPool,
  tenantId: string,
  masterKey: Uint8Array,
): Promise<string> {
  return inTransaction(owner, (connection) => insertDataKey(connection, tenantId, masterKey));
}

/**
 * Destroys every data key of the tenant: its inputs, results and histories become unreadable, for good. Running
 * processes forget the keys within the cipher's time to live. Answers how many keys there were.
 */
export async function destroyTenantKeys(owner: OwnerPool, tenantId: string): Promise<number> {
  const { rowCount } = await owner.query(
    `update longhaul.tenant_keys set wrapped = null, destroyed_at = now() where tenant_id = $1 and destroyed_at is null`,
    [tenantId],
  );
  return rowCount ?? 0;
}

/** The tenants, by name. */
export async function listTenants(owner: OwnerPool): Promise<Tenant[]> {
  const { rows } = await owner.query<Tenant>(
    `select id, name, created_at as "createdAt" from longhaul.tenants order by name limit ${LISTED_MAX}`,
  );
  return rows;
}

/** The tenant of that name, if there is one. */
export async function findTenant(owner: OwnerPool, name: string): Promise<Tenant | undefined> {
  const { rows } = await owner.query<Tenant>(
    `select id, name, created_at as "createdAt" from longhaul.tenants where name = $1`,
    [name],
  );
  return rows[0];
}

/** Makes an API key and answers its text, which nobody can read again. A client's key needs a tenant, others have none. */
export async function createApiKey(
  owner: OwnerPool,
  key: {
    readonly tenantId: string | null;
    readonly role: ApiKeyRole;
    readonly name: string;
    readonly env: string;
  },
): Promise<string> {
  if ((key.role === 'client') !== (key.tenantId !== null)) {
    throw new TypeError(
      `A client's key belongs to a tenant, an ${key.role}'s to none; got ${String(key.tenantId)}.`,
    );
  }
  const minted = mintApiKey(key.env);
  await owner.query(
    `insert into longhaul.api_keys (id, tenant_id, role, name, secret_sha256) values ($1, $2, $3, $4, $5)`,
    [minted.id, key.tenantId, key.role, key.name, hashSecret(minted.secret)],
  );
  return minted.text;
}

/** API keys, newest first, without their secrets; of one tenant, or all. */
export async function listApiKeys(owner: OwnerPool, tenantId?: string): Promise<ApiKeyRecord[]> {
  const { rows } = await owner.query<ApiKeyRecord>(
    `select k.id, k.tenant_id as "tenantId", t.name as "tenantName", k.role, k.name,
            k.created_at as "createdAt", k.revoked_at as "revokedAt"
     from longhaul.api_keys k left join longhaul.tenants t on t.id = k.tenant_id
     where $1::uuid is null or k.tenant_id = $1 order by k.created_at desc, k.id limit ${LISTED_MAX}`,
    [tenantId ?? null],
  );
  return rows;
}

/** Revokes an API key; false where there is none of that id that is still good. */
export async function revokeApiKey(owner: OwnerPool, id: string): Promise<boolean> {
  const { rowCount } = await owner.query(
    `update longhaul.api_keys set revoked_at = now() where id = $1 and revoked_at is null`,
    [id],
  );
  return rowCount === 1;
}

/** Told at once, and not by every request later: no process with this key could open what is stored. */
async function refuseForeignMasterKey(connection: Connection, masterKey: Uint8Array): Promise<void> {
  const { rows } = await connection.query<{ ids: string[] | null }>(
    `select array_agg(distinct master_key_id) as ids from longhaul.tenant_keys where destroyed_at is null`,
  );
  const own = masterKeyIdOf(masterKey);
  const ids = rows[0]?.ids ?? [];
  if (ids.length === 0 || ids.includes(own)) return;
  throw new CipherError(
    'master_key_mismatch',
    `The tenants of this database were made under another master key (${ids.join(', ')}; this one is ${own}): give the LONGHAUL_MASTER_KEY that made them.`,
  );
}

async function insertDataKey(
  connection: Connection,
  tenantId: string,
  masterKey: Uint8Array,
): Promise<string> {
  const keyId = uuidv7();
  await connection.query(
    `insert into longhaul.tenant_keys (id, tenant_id, wrapped, master_key_id, created_at)
     values ($1, $2, $3, $4, clock_timestamp())`,
    [
      keyId,
      tenantId,
      wrapKey(masterKey, randomBytes(DATA_KEY_BYTES), tenantId, keyId),
      masterKeyIdOf(masterKey),
    ],
  );
  return keyId;
}
