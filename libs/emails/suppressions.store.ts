/** Whom a tenant does not write to: by a keyed hash, beside the sealed address (role app or worker). */
import { v7 as uuidv7 } from 'uuid';
import type { Transaction } from '../saga/implement.js';
import type { TenantCipher } from '../security/tenant-cipher.js';
import { suppressionKeyOf } from './address.js';

export type SuppressionReason = 'owner' | 'bounced';

export interface SuppressionRecord {
  readonly id: string;
  readonly address: string;
  readonly reason: SuppressionReason;
  readonly detail: string | null;
  readonly createdAt: Date;
}

interface Row extends Omit<SuppressionRecord, 'address'> {
  /** Sealed. */
  readonly address: Buffer;
}

const COLUMNS = `id, address, reason, detail, created_at as "createdAt"`;

export interface Suppressions {
  /** Of these addresses, those not to be written to. */
  among(tx: Transaction, tenantId: string, addresses: readonly string[]): Promise<ReadonlySet<string>>;
  /** Adds an address; one that is there stays as it is. */
  add(
    tx: Transaction,
    tenantId: string,
    entry: {
      readonly address: string;
      readonly reason: SuppressionReason;
      readonly detail?: string | undefined;
    },
  ): Promise<{ readonly record: SuppressionRecord; readonly isNew: boolean }>;
  find(tx: Transaction, tenantId: string, id: string): Promise<SuppressionRecord | undefined>;
  findAddress(tx: Transaction, tenantId: string, address: string): Promise<SuppressionRecord | undefined>;
  /** A page, the newest first. */
  list(
    tx: Transaction,
    tenantId: string,
    page: { readonly before: string | undefined; readonly limit: number },
  ): Promise<SuppressionRecord[]>;
  /** False: there is none. */
  remove(tx: Transaction, id: string): Promise<boolean>;
}

export function createSuppressions(cipher: TenantCipher): Suppressions {
  const digestOf = (tenantId: string, address: string): Promise<Buffer> =>
    cipher.digest(tenantId, suppressionKeyOf(address));
  const aadOf = (tenantId: string, id: string): string => `${tenantId}/email-suppression/${id}`;

  async function opened(tenantId: string, { address, ...row }: Row): Promise<SuppressionRecord> {
    const plain = await cipher.decrypt(tenantId, address, aadOf(tenantId, row.id));
    return { ...row, address: plain.toString('utf8') };
  }

  async function findAddress(
    tx: Transaction,
    tenantId: string,
    address: string,
  ): Promise<SuppressionRecord | undefined> {
    const { rows } = await tx.query<Row>(
      `select ${COLUMNS} from longhaul.email_suppressions where digest = $1`,
      [await digestOf(tenantId, address)],
    );
    return rows[0] && opened(tenantId, rows[0]);
  }

  return {
    async among(tx, tenantId, addresses) {
      const digests = await Promise.all(addresses.map((address) => digestOf(tenantId, address)));
      const { rows } = await tx.query<{ digest: Buffer }>(
        'select digest from longhaul.email_suppressions where digest = any($1::bytea[])',
        [digests],
      );
      const found = new Set(rows.map(({ digest }) => digest.toString('hex')));
      return new Set(addresses.filter((_, index) => found.has(digests[index]?.toString('hex') ?? '')));
    },
    async add(tx, tenantId, { address, reason, detail }) {
      const id = uuidv7();
      const { rows } = await tx.query<Row>(
        `insert into longhaul.email_suppressions (id, tenant_id, digest, address, reason, detail)
           values ($1, $2, $3, $4, $5, $6) on conflict (tenant_id, digest) do nothing returning ${COLUMNS}`,
        [
          id,
          tenantId,
          await digestOf(tenantId, address),
          await cipher.encrypt(tenantId, Buffer.from(address), aadOf(tenantId, id)),
          reason,
          detail ?? null,
        ],
      );
      if (rows[0]) return { record: await opened(tenantId, rows[0]), isNew: true };
      const there = await findAddress(tx, tenantId, address);
      if (!there) throw new Error('a suppression was removed while it was added');
      return { record: there, isNew: false };
    },
    async find(tx, tenantId, id) {
      const { rows } = await tx.query<Row>(
        `select ${COLUMNS} from longhaul.email_suppressions where id = $1`,
        [id],
      );
      return rows[0] && opened(tenantId, rows[0]);
    },
    findAddress,
    async list(tx, tenantId, { before, limit }) {
      const { rows } = await tx.query<Row>(
        `select ${COLUMNS} from longhaul.email_suppressions where ($1::uuid is null or id < $1) order by id desc limit $2`,
        [before ?? null, limit],
      );
      return Promise.all(rows.map((row) => opened(tenantId, row)));
    },
    async remove(tx, id) {
      const { rowCount } = await tx.query('delete from longhaul.email_suppressions where id = $1', [id]);
      return rowCount === 1;
    },
  };
}
