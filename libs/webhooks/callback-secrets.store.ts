/** What a tenant's callbacks are signed with: one secret for all of them (in the tenant's transaction). */
import { v7 as uuidv7 } from 'uuid';
import type { Transaction } from '../saga/implement.js';
import type { TenantCipher } from '../security/tenant-cipher.js';
import { PREVIOUS_SECRET_HOURS, secretAad } from './endpoints.store.js';
import { createSecret } from './signature.js';

export interface CallbackSecretRecord {
  readonly id: string;
  readonly createdAt: Date;
  /** The one before signs beside it until then; null where none does. */
  readonly previousUntil: Date | null;
}

/** A new secret for what has this id, as it is shown and as it is kept. */
export type SealSecret = (
  tenantId: string,
  id: string,
) => Promise<{ readonly secret: string; readonly sealed: Buffer }>;

export function createSealSecret(cipher: TenantCipher): SealSecret {
  return async (tenantId, id) => {
    const secret = createSecret();
    return { secret, sealed: await cipher.encrypt(tenantId, Buffer.from(secret), secretAad(tenantId, id)) };
  };
}

const COLUMNS = `id, created_at as "createdAt", case when previous_until > now() then previous_until end as "previousUntil"`;

export async function readCallbackSecret(tx: Transaction): Promise<CallbackSecretRecord | undefined> {
  const { rows } = await tx.query<CallbackSecretRecord>(`select ${COLUMNS} from longhaul.callback_secrets`);
  return rows[0];
}

/** Makes a tenant's first secret; one that is there stays. */
export async function keepFirstSecret(tx: Transaction, tenantId: string, seal: SealSecret): Promise<void> {
  if (await readCallbackSecret(tx)) return;
  const id = uuidv7();
  const { sealed } = await seal(tenantId, id);
  await tx.query(
    `insert into longhaul.callback_secrets (tenant_id, id, secret) values ($1, $2, $3) on conflict do nothing`,
    [tenantId, id, sealed],
  );
}

/** A new secret, the tenant's first or another; one before signs beside it for a day. */
export async function replaceCallbackSecret(
  tx: Transaction,
  tenantId: string,
  seal: SealSecret,
): Promise<CallbackSecretRecord & { readonly secret: string }> {
  await keepFirstSecret(tx, tenantId, seal);
  const there = await readCallbackSecret(tx);
  if (!there) throw new Error('the callback secret just kept is not there');
  const { secret, sealed } = await seal(tenantId, there.id);
  const { rows } = await tx.query<CallbackSecretRecord>(
    `update longhaul.callback_secrets
        set previous_secret = secret, previous_until = now() + make_interval(hours => $2), secret = $1, created_at = now()
      returning ${COLUMNS}`,
    [sealed, PREVIOUS_SECRET_HOURS],
  );
  return { ...(rows[0] as CallbackSecretRecord), secret };
}
