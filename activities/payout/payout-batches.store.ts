/**
 * The money of a batch in our own books, inside the transaction of a step (`own`): reserved as a whole, spent item by
 * item, released where it was not spent. Locks are taken in one order: batch, item, account.
 */
import { Rejected } from '../../libs/saga/failure.js';
import type { Transaction } from '../../libs/saga/implement.js';
import { sumMinor, toMinor } from './minor-units.js';

/** Items of a batch at most; a constraint of the table, too. */
export const BATCH_ITEMS_MAX = 10_000;

export interface BatchOpening {
  /** The job that pays the batch; its id is the batch's. */
  readonly jobId: string;
  readonly accountId: string;
  readonly currency: string;
  /** Of each item, in order: item n is `amountsMinor[n]`. */
  readonly amountsMinor: readonly number[];
}

export type BatchState = 'open' | 'settled' | 'released';

interface BatchRow {
  readonly account_id: string;
  readonly items_total: number;
  readonly amount_minor: string;
  readonly held_minor: string;
  readonly allocated_minor: string;
  readonly state: BatchState;
}

/** A batch's row, locked until the transaction ends. */
export interface LockedBatch {
  readonly accountId: string;
  readonly amountMinor: number;
  readonly heldMinor: number;
  readonly allocatedMinor: number;
  readonly itemsTotal: number;
  readonly state: BatchState;
}

/** Reads and locks a batch; undefined where the tenant has none of that id. */
export async function lockBatch(tx: Transaction, batchId: string): Promise<LockedBatch | undefined> {
  const { rows } = await tx.query<BatchRow>(
    `select account_id, items_total, amount_minor, held_minor, allocated_minor, state
       from longhaul.payout_batches where job_id = $1 for update`,
    [batchId],
  );
  const [row] = rows;
  return (
    row && {
      accountId: row.account_id,
      amountMinor: toMinor(row.amount_minor),
      heldMinor: toMinor(row.held_minor),
      allocatedMinor: toMinor(row.allocated_minor),
      itemsTotal: row.items_total,
      state: row.state,
    }
  );
}

/**
 * Reserves the whole amount and writes down every item as `planned`. The same again changes nothing.
 * Rejected: `account_unknown`, `currency_mismatch`, `insufficient_funds`.
 */
export async function openBatch(
  tx: Transaction,
  { jobId, accountId, currency, amountsMinor }: BatchOpening,
): Promise<{ items: number; amountMinor: number }> {
  const items = amountsMinor.length;
  if (items < 1 || items > BATCH_ITEMS_MAX) {
    throw new RangeError(`A batch has 1 to ${BATCH_ITEMS_MAX} items, not ${items}`);
  }
  const amountMinor = sumMinor(amountsMinor);
  await checkAccount(tx, accountId, currency);
  const { rowCount } = await tx.query(
    `insert into longhaul.payout_batches (job_id, tenant_id, account_id, items_total, amount_minor, held_minor)
     values ($1, longhaul.current_tenant(), $2, $3, $4, $4) on conflict do nothing`,
    [jobId, accountId, items, amountMinor],
  );
  if (rowCount === 0) {
    await checkSame(tx, jobId, { accountId, amountMinor, itemsTotal: items });
    return { items, amountMinor };
  }
  await tx.query(
    `insert into longhaul.payout_items (batch_id, item, tenant_id, amount_minor)
     select $1, one.number - 1, longhaul.current_tenant(), one.amount
       from unnest($2::bigint[]) with ordinality as one (amount, number)`,
    [jobId, amountsMinor],
  );
  if (
    !(await post(tx, { accountId, movement: 'reserve', balance: 0, reserved: amountMinor, batchId: jobId }))
  ) {
    throw new Rejected(
      'insufficient_funds',
      `Account ${accountId} has not ${amountMinor} ${currency} to spare`,
    );
  }
  return { items, amountMinor };
}

async function checkSame(tx: Transaction, batchId: string, wanted: Partial<LockedBatch>): Promise<void> {
  const there = await lockBatch(tx, batchId);
  const isSame =
    there?.accountId === wanted.accountId &&
    there?.amountMinor === wanted.amountMinor &&
    there?.itemsTotal === wanted.itemsTotal;
  if (!isSame) throw new TypeError(`Batch ${batchId} is there already, with other items`);
  if (there?.state !== 'open') throw new TypeError(`Batch ${batchId} is closed and cannot be opened again`);
}

async function checkAccount(tx: Transaction, accountId: string, currency: string): Promise<void> {
  const { rows } = await tx.query<{ currency: string }>(
    'select currency from longhaul.accounts where id = $1',
    [accountId],
  );
  const [account] = rows;
  if (!account) throw new Rejected('account_unknown', `There is no account ${accountId}`);
  if (account.currency === currency) return;
  throw new Rejected('currency_mismatch', `Account ${accountId} is in ${account.currency}, not ${currency}`);
}

/**
 * The undo of {@link openBatch}: gives back what is neither paid nor in the hands of an item's job; those give back,
 * or spend, their own. No item can be reserved any more. `noop` where there is no such batch, or it is closed.
 */
export async function releaseFunds(tx: Transaction, batchId: string): Promise<'undone' | 'noop'> {
  const batch = await lockBatch(tx, batchId);
  if (batch?.state !== 'open') return 'noop';
  await close(tx, batchId, batch, 'released');
  return 'undone';
}

/**
 * Closes a batch whose items are all decided, and gives back what was not paid. The same again changes nothing.
 * Throws where an item is still in hand: its job must be awaited first.
 */
export async function settleBatch(tx: Transaction, batchId: string): Promise<void> {
  const batch = await lockBatch(tx, batchId);
  if (!batch) throw new TypeError(`There is no batch ${batchId} to settle`);
  if (batch.state === 'settled') return;
  if (batch.state === 'released') throw new TypeError(`Batch ${batchId} was released and cannot be settled`);
  if (batch.allocatedMinor > 0) {
    throw new TypeError(
      `Batch ${batchId} has ${batch.allocatedMinor} in the hands of items that are not decided`,
    );
  }
  await close(tx, batchId, batch, 'settled');
}

async function close(
  tx: Transaction,
  batchId: string,
  batch: LockedBatch,
  state: 'settled' | 'released',
): Promise<void> {
  await tx.query(
    `update longhaul.payout_batches set state = $2, closed_at = now(), held_minor = allocated_minor where job_id = $1`,
    [batchId, state],
  );
  await tx.query(
    `update longhaul.payout_items set state = 'released', changed_at = now() where batch_id = $1 and state = 'planned'`,
    [batchId],
  );
  const free = batch.heldMinor - batch.allocatedMinor;
  if (free > 0)
    await mustPost(tx, {
      accountId: batch.accountId,
      movement: 'release',
      balance: 0,
      reserved: -free,
      batchId,
    });
}

/** A movement of money; `item` where it is one item's. */
export interface Movement {
  readonly accountId: string;
  readonly movement: 'reserve' | 'release' | 'pay';
  readonly balance: number;
  readonly reserved: number;
  readonly batchId: string;
  readonly item?: number;
}

/** Moves money and writes it down; false where the account has not that much. */
async function post(tx: Transaction, movement: Movement): Promise<boolean> {
  const { rows } = await tx.query<{ posted: boolean }>(
    'select longhaul.post_payout($1, $2, $3, $4, $5, $6) as posted',
    [
      movement.accountId,
      movement.movement,
      movement.balance,
      movement.reserved,
      movement.batchId,
      movement.item ?? -1,
    ],
  );
  return rows[0]?.posted === true;
}

/** The same for money that is reserved already: it must be there. */
export async function mustPost(tx: Transaction, movement: Movement): Promise<void> {
  if (await post(tx, movement)) return;
  throw new TypeError(
    `The books of account ${movement.accountId} refuse to ${movement.movement} what is reserved`,
  );
}
