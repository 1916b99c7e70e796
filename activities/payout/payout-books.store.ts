/** What the books say: of a batch, of an account, and where they contradict themselves. */
import type { Transaction } from '../../libs/saga/implement.js';
import { postgresVerdict } from '../../libs/store/postgres-failure.js';
import { toMinor } from './minor-units.js';
import type { ItemState } from './payout-items.store.js';

export interface Tally {
  readonly items: number;
  readonly amountMinor: number;
}

export type BatchTotals = Readonly<Record<ItemState, Tally>>;

/** How many items of a batch, of what amount, are in each state. */
export async function batchTotals(tx: Transaction, batchId: string): Promise<BatchTotals> {
  const { rows } = await tx.query<{ state: ItemState; items: number; amount: string }>(
    `select state, count(*)::int as items, sum(amount_minor)::text as amount
       from longhaul.payout_items where batch_id = $1 group by state`,
    [batchId],
  );
  const found = new Map(
    rows.map(({ state, items, amount }) => [state, { items, amountMinor: toMinor(amount) }]),
  );
  const tally = (state: ItemState): Tally => found.get(state) ?? { items: 0, amountMinor: 0 };
  return {
    planned: tally('planned'),
    reserved: tally('reserved'),
    paid: tally('paid'),
    released: tally('released'),
    refused: tally('refused'),
  };
}

export interface AccountBalance {
  readonly currency: string;
  readonly balanceMinor: number;
  /** Of the balance: promised to batches. */
  readonly reservedMinor: number;
}

/** What an account has; undefined where the tenant has no such account. */
export async function accountBalance(
  tx: Transaction,
  accountId: string,
): Promise<AccountBalance | undefined> {
  const { rows } = await tx.query<{ currency: string; balance_minor: string; reserved_minor: string }>(
    'select currency, balance_minor, reserved_minor from longhaul.accounts where id = $1',
    [accountId],
  );
  const [row] = rows;
  return (
    row && {
      currency: row.currency,
      balanceMinor: toMinor(row.balance_minor),
      reservedMinor: toMinor(row.reserved_minor),
    }
  );
}

export interface Deposit {
  readonly tenantId: string;
  /** Opened with the first deposit. */
  readonly accountId: string;
  readonly currency: string;
  readonly amountMinor: number;
  /** The same reference again is the same deposit. */
  readonly reference: string;
}

/** The books say otherwise: another currency, or another amount under the same reference. The message says what is there. */
export class DepositRefused extends Error {
  override readonly name = 'DepositRefused';
}

/**
 * Puts money into an account (role `app`, or the schema's owner; a worker may not). False where it was there already.
 * Throws DepositRefused.
 */
export async function deposit(connection: Transaction, money: Deposit): Promise<boolean> {
  try {
    const { rows } = await connection.query<{ fresh: boolean }>(
      'select longhaul.deposit($1, $2, $3, $4, $5) as fresh',
      [money.tenantId, money.accountId, money.currency, money.amountMinor, money.reference],
    );
    return rows[0]?.fresh === true;
  } catch (error) {
    if (postgresVerdict(error) !== 'rejected') throw error;
    throw new DepositRefused((error as Error).message, { cause: error });
  }
}

export interface Drift {
  readonly tenantId: string;
  /** An account's id, or a batch's. */
  readonly subject: string;
  readonly rule: string;
  readonly expected: string;
  readonly actual: string;
}

/** Every place where sums do not agree; empty, or something is wrong. The role `relay` sees all tenants. */
export async function findDrift(connection: Transaction): Promise<Drift[]> {
  const { rows } = await connection.query<Omit<Drift, 'tenantId'> & { tenant_id: string }>(
    'select tenant_id, subject, rule, expected::text, actual::text from longhaul.payout_drift',
  );
  return rows.map(({ tenant_id: tenantId, ...rest }) => ({ tenantId, ...rest }));
}
