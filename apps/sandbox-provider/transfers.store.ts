/** Transfers, their idempotency keys, refunds and recipients. Every function is one transaction. */
import { createHash } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { inOneTransaction, type DatabaseSync } from './provider.database.js';

export interface TransferOrder {
  readonly amountMinor: number;
  readonly currency: string;
  readonly recipient: string;
  readonly reference: string;
}

export interface Transfer extends TransferOrder {
  readonly id: string;
  readonly key: string;
  readonly createdAt: string;
  readonly refunded: boolean;
}

export type RecipientStatus = 'allowed' | 'blocked';

export type TransferOutcome =
  | { readonly kind: 'created' | 'replayed'; readonly transfer: Transfer }
  | { readonly kind: 'key_burnt' | 'key_reused' }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string };

export interface Refund {
  readonly id: string;
  readonly transferId: string;
  readonly amountMinor: number;
  readonly createdAt: string;
}

interface TransferRow {
  readonly seq: number;
  readonly id: string;
  readonly key: string;
  readonly amount_minor: number;
  readonly currency: string;
  readonly recipient: string;
  readonly reference: string;
  readonly created_at: string;
  readonly refunded: number;
}

const COLUMNS = `seq, id, key, amount_minor, currency, recipient, reference, created_at,
  exists (select 1 from refunds r where r.transfer_id = transfers.id) as refunded`;

export type TransfersStore = ReturnType<typeof createTransfersStore>;

export function createTransfersStore(database: DatabaseSync) {
  const byId = database.prepare(`select ${COLUMNS} from transfers where id = ?`);
  const firstOfKey = database.prepare(`select ${COLUMNS} from transfers where key = ? order by seq limit 1`);
  const page = database.prepare(`select ${COLUMNS} from transfers where seq > ? order by seq limit ?`);
  const keyRow = database.prepare('select digest from keys where key = ?');
  const burnKey = database.prepare('insert into keys (key) values (?) on conflict do nothing');
  const useKey = database.prepare(
    'insert into keys (key, digest, transfer_id) values (?, ?, ?) on conflict do nothing',
  );
  const addTransfer = database.prepare(
    `insert into transfers (id, key, amount_minor, currency, recipient, reference, created_at)
     values (?, ?, ?, ?, ?, ?, ?)`,
  );
  const balanceOf = database.prepare('select balance_minor from balances where currency = ?');
  const move = database.prepare('update balances set balance_minor = balance_minor + ? where currency = ?');
  const refundOf = database.prepare('select id, amount_minor, created_at from refunds where transfer_id = ?');
  const addRefund = database.prepare('insert into refunds values (?, ?, ?, ?)');
  const recipientStatus = database.prepare('select status from recipients where id = ?');
  const putRecipient = database.prepare(
    'insert into recipients values (?, ?) on conflict (id) do update set status = excluded.status',
  );

  const one = (row: unknown): Transfer | undefined => (row ? transferOf(row as TransferRow) : undefined);
  const screen = (id: string): RecipientStatus | undefined =>
    (recipientStatus.get(id) as { status: RecipientStatus } | undefined)?.status;
  const find = (id: string): Transfer | undefined => one(byId.get(id));

  /** Why the order cannot be carried out; undefined: it can. */
  function objection({ amountMinor, currency, recipient }: TransferOrder): TransferOutcome | undefined {
    const refuse = (code: string, message: string): TransferOutcome => ({ kind: 'refused', code, message });
    const balance = balanceOf.get(currency) as { balance_minor: number } | undefined;
    if (!balance) return refuse('currency_unknown', `No account is kept in ${currency}.`);
    const status = screen(recipient);
    if (!status) return refuse('recipient_unknown', `There is no recipient ${recipient}.`);
    if (status === 'blocked') return refuse('recipient_blocked', `Recipient ${recipient} is blocked.`);
    if (balance.balance_minor >= amountMinor) return undefined;
    return refuse('insufficient_funds', `The balance in ${currency} is less than ${amountMinor}.`);
  }

  return {
    /** Pays, once for each key; without `duplicateDetection` each time. A refusal is not kept under the key. */
    transfer: (key: string, order: TransferOrder, duplicateDetection: boolean): TransferOutcome =>
      inOneTransaction(database, () => {
        const digest = digestOf(order);
        const seen = duplicateDetection
          ? (keyRow.get(key) as { digest: string | null } | undefined)
          : undefined;
        if (seen?.digest === null) return { kind: 'key_burnt' };
        if (seen && seen.digest !== digest) return { kind: 'key_reused' };
        if (seen) return { kind: 'replayed', transfer: one(firstOfKey.get(key)) as Transfer };
        const refused = objection(order);
        if (refused) return refused;
        const id = `tr_${uuidv7()}`;
        const { amountMinor, currency, recipient, reference } = order;
        addTransfer.run(id, key, amountMinor, currency, recipient, reference, new Date().toISOString());
        move.run(-amountMinor, currency);
        useKey.run(key, digest, id);
        return { kind: 'created', transfer: find(id) as Transfer };
      }),
    /** What was paid under a key: the first, should there be several. */
    findByKey: (key: string): Transfer | undefined => one(firstOfKey.get(key)),
    /** Makes sure that nothing will be paid under a key; answers what was paid already, if it was. */
    burn: (key: string): Transfer | undefined =>
      inOneTransaction(database, () => {
        const paid = one(firstOfKey.get(key));
        if (!paid) burnKey.run(key);
        return paid;
      }),
    /** Gives all of a transfer back, once; undefined where there is no such transfer. */
    refund: (transferId: string): { refund: Refund; isNew: boolean } | undefined =>
      inOneTransaction(database, () => {
        const transfer = find(transferId);
        if (!transfer) return undefined;
        const isNew = !transfer.refunded;
        if (isNew) {
          addRefund.run(`re_${uuidv7()}`, transferId, transfer.amountMinor, new Date().toISOString());
          move.run(transfer.amountMinor, transfer.currency);
        }
        const row = refundOf.get(transferId) as { id: string; amount_minor: number; created_at: string };
        const refund = { id: row.id, transferId, amountMinor: row.amount_minor, createdAt: row.created_at };
        return { refund, isNew };
      }),
    screen,
    /** Adds recipients, or changes their status. */
    register: (recipients: readonly { id: string; status: RecipientStatus }[]): void =>
      inOneTransaction(database, () => {
        for (const { id, status } of recipients) putRecipient.run(id, status);
      }),
    /** Transfers in the order they were made, after `cursor`; `next` is undefined at the end. */
    list(cursor: number, limit: number): { items: Transfer[]; next: number | undefined } {
      const rows = page.all(cursor, limit) as unknown as TransferRow[];
      const next = rows.length === limit ? rows.at(-1)?.seq : undefined;
      return { items: rows.map(transferOf), next };
    },
  };
}

function transferOf(row: TransferRow): Transfer {
  return {
    id: row.id,
    key: row.key,
    amountMinor: row.amount_minor,
    currency: row.currency,
    recipient: row.recipient,
    reference: row.reference,
    createdAt: row.created_at,
    refunded: row.refunded === 1,
  };
}

function digestOf({ amountMinor, currency, recipient, reference }: TransferOrder): string {
  const text = JSON.stringify([amountMinor, currency, recipient, reference]);
  return createHash('sha256').update(text).digest('hex');
}
