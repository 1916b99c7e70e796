/** One item of a batch, as its own job reserves, pays or gives it up, inside the transaction of a step (`own`). */
import { Rejected } from '../../libs/saga/failure.js';
import type { Transaction } from '../../libs/saga/implement.js';
import { toMinor } from './minor-units.js';
import { lockBatch, mustPost, type LockedBatch } from './payout-batches.store.js';

export interface ItemRef {
  readonly batchId: string;
  readonly item: number;
}

/** `planned`: nobody pays it yet. `released`: it was tried, or not begun, and the money is free again. */
export type ItemState = 'planned' | 'reserved' | 'paid' | 'released' | 'refused';

interface LockedItem {
  readonly batch: LockedBatch;
  readonly state: ItemState;
  readonly amountMinor: number;
  readonly jobId: string | null;
  readonly transferId: string | null;
  readonly reason: string | null;
}

async function lockItem(tx: Transaction, { batchId, item }: ItemRef): Promise<LockedItem | undefined> {
  const batch = await lockBatch(tx, batchId);
  if (!batch) return undefined;
  const { rows } = await tx.query<{
    state: ItemState;
    amount_minor: string;
    job_id: string | null;
    transfer_id: string | null;
    reason: string | null;
  }>(
    `select state, amount_minor, job_id, transfer_id, reason
       from longhaul.payout_items where batch_id = $1 and item = $2 for update`,
    [batchId, item],
  );
  const [row] = rows;
  return (
    row && {
      batch,
      state: row.state,
      amountMinor: toMinor(row.amount_minor),
      jobId: row.job_id,
      transferId: row.transfer_id,
      reason: row.reason,
    }
  );
}

/**
 * Takes an item in hand for the job that will pay it; one that was released may be taken again. The same job's again
 * changes nothing. Rejected: `item_unknown`, `item_mismatch`, `item_taken`, `item_paid`, `item_refused`, `batch_closed`.
 */
export async function reserveItem(
  tx: Transaction,
  ref: ItemRef,
  { jobId, amountMinor }: { jobId: string; amountMinor: number },
): Promise<void> {
  const found = await lockItem(tx, ref);
  const name = `Item ${ref.item} of batch ${ref.batchId}`;
  if (!found) throw new Rejected('item_unknown', `${name} does not exist`);
  if (found.amountMinor !== amountMinor) {
    throw new Rejected('item_mismatch', `${name} is of ${found.amountMinor}, not of ${amountMinor}`);
  }
  if (found.state === 'reserved' && found.jobId === jobId) return;
  if (found.state === 'reserved') throw new Rejected('item_taken', `${name} is in the hands of another job`);
  if (found.state === 'paid') throw new Rejected('item_paid', `${name} is paid`);
  if (found.state === 'refused') throw new Rejected('item_refused', `${name} was refused: ${found.reason}`);
  if (found.batch.state !== 'open') throw new Rejected('batch_closed', `Batch ${ref.batchId} is closed`);
  await tx.query(
    `update longhaul.payout_items set state = 'reserved', job_id = $3, changed_at = now()
      where batch_id = $1 and item = $2`,
    [ref.batchId, ref.item, jobId],
  );
  await tx.query(
    'update longhaul.payout_batches set allocated_minor = allocated_minor + $2 where job_id = $1',
    [ref.batchId, amountMinor],
  );
}

/**
 * The undo of {@link reserveItem}: the item is nobody's again; its money is the batch's, or, where that has closed
 * meanwhile, free on the account. `noop` where this job does not have it in hand. Throws where it has paid it.
 */
export async function releaseItem(tx: Transaction, ref: ItemRef, jobId: string): Promise<'undone' | 'noop'> {
  const found = await lockItem(tx, ref);
  if (!found || found.jobId !== jobId) return 'noop';
  if (found.state === 'paid') {
    throw new TypeError(`Item ${ref.item} of batch ${ref.batchId} is paid; it cannot be released`);
  }
  if (found.state !== 'reserved') return 'noop';
  const { batch, amountMinor } = found;
  await tx.query(
    `update longhaul.payout_items set state = 'released', changed_at = now() where batch_id = $1 and item = $2`,
    [ref.batchId, ref.item],
  );
  const isClosed = batch.state !== 'open';
  await takeOff(tx, ref.batchId, amountMinor, isClosed ? amountMinor : 0);
  if (isClosed) {
    await mustPost(tx, {
      ...ref,
      accountId: batch.accountId,
      movement: 'release',
      balance: 0,
      reserved: -amountMinor,
    });
  }
  return 'undone';
}

/**
 * Writes down that the provider has paid an item this job had in hand. The same transfer again changes nothing;
 * another one, or an item not in hand, throws: money is gone that the books cannot place.
 */
export async function settleItem(
  tx: Transaction,
  ref: ItemRef,
  { jobId, transferId }: { jobId: string; transferId: string },
): Promise<void> {
  const found = await lockItem(tx, ref);
  if (found?.state === 'paid' && found.transferId === transferId) return;
  if (found?.state !== 'reserved' || found.jobId !== jobId) {
    const state = found ? `${found.state}, of job ${found.jobId}, transfer ${found.transferId}` : 'unknown';
    throw new TypeError(
      `Transfer ${transferId} of job ${jobId} pays item ${ref.item} of batch ${ref.batchId}, which is ${state}`,
    );
  }
  const { batch, amountMinor } = found;
  await tx.query(
    `update longhaul.payout_items set state = 'paid', transfer_id = $3, changed_at = now()
      where batch_id = $1 and item = $2`,
    [ref.batchId, ref.item, transferId],
  );
  await takeOff(tx, ref.batchId, amountMinor, amountMinor);
  await mustPost(tx, {
    ...ref,
    accountId: batch.accountId,
    movement: 'pay',
    balance: -amountMinor,
    reserved: -amountMinor,
  });
}

/**
 * Says that an item is not to be paid, with the reason's code: after screening, or after its job gave it up. False
 * where it is in hand or paid; the first reason stays.
 */
export async function refuseItem(tx: Transaction, ref: ItemRef, reason: string): Promise<boolean> {
  const found = await lockItem(tx, ref);
  if (!found) throw new TypeError(`Batch ${ref.batchId} has no item ${ref.item} to refuse`);
  if (found.state === 'refused') return true;
  if (found.state === 'reserved' || found.state === 'paid') return false;
  await tx.query(
    `update longhaul.payout_items set state = 'refused', reason = $3, changed_at = now()
      where batch_id = $1 and item = $2`,
    [ref.batchId, ref.item, reason],
  );
  return true;
}

async function takeOff(tx: Transaction, batchId: string, allocated: number, held: number): Promise<void> {
  await tx.query(
    `update longhaul.payout_batches
        set allocated_minor = allocated_minor - $2, held_minor = held_minor - $3 where job_id = $1`,
    [batchId, allocated, held],
  );
}
