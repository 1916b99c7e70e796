/** What our books say of payouts under chaos: read as the relay's role, summed anew; and the money to begin with. */
import { deposit } from '../../../activities/payout/payout-books.store.js';
import { openDatabase, type Database } from '../../../libs/store/database.js';

export interface BookedAccount {
  readonly tenant: string;
  readonly account: string;
  readonly balanceMinor: number;
  readonly reservedMinor: number;
  /** The sums of its entries. */
  readonly bookedMinor: number;
  readonly bookedReservedMinor: number;
}

export interface BookedBatch {
  readonly jobId: string;
  readonly status: string;
  readonly state: string;
  readonly heldMinor: number;
  readonly allocatedMinor: number;
  /** The sums of its entries: what it still reserves, and what left the account. */
  readonly bookedReservedMinor: number;
  readonly bookedPaidMinor: number;
  /** Jobs that tell the tenant's endpoints how it ended. */
  readonly tellings: number;
}

export interface BookedItem {
  readonly batchId: string;
  readonly item: number;
  readonly state: string;
  readonly amountMinor: number;
  readonly transferId: string | null;
  readonly jobId: string | null;
  /** Of the job that pays it. */
  readonly jobStatus: string | null;
  /** How many entries say that it was paid. */
  readonly payEntries: number;
}

export interface Books {
  readonly accounts: readonly BookedAccount[];
  readonly batches: readonly BookedBatch[];
  readonly items: readonly BookedItem[];
  /** Item jobs that no item names: each must have ended without a payment. */
  readonly drift: readonly { readonly subject: string; readonly rule: string }[];
  /** Jobs that tell endpoints of what is no batch: their natural keys. */
  readonly strayTellings: readonly string[];
}

/** The natural key of the job that tells of batch `b`. */
const TELLING = `'payout%2f' || b.job_id`;

const MINOR = (column: string): string => `(${column})::float8`;

/** Everything in the books. */
export async function readBooks(databaseUrl: string): Promise<Books> {
  const database = openDatabase(databaseUrl, 'relay', { max: 1, name: 'longhaul-chaos' });
  try {
    return {
      accounts: await rowsOf<BookedAccount>(
        database,
        `select t.name as tenant, a.id as account, ${MINOR('a.balance_minor')} as "balanceMinor",
                ${MINOR('a.reserved_minor')} as "reservedMinor",
                ${MINOR('coalesce(sum(e.balance_delta), 0)')} as "bookedMinor",
                ${MINOR('coalesce(sum(e.reserved_delta), 0)')} as "bookedReservedMinor"
           from longhaul.accounts a join longhaul.tenants t on t.id = a.tenant_id
           left join longhaul.account_entries e on e.tenant_id = a.tenant_id and e.account_id = a.id
           group by t.name, a.tenant_id, a.id order by 1, 2`,
      ),
      batches: await rowsOf<BookedBatch>(
        database,
        `select b.job_id as "jobId", j.status, b.state, ${MINOR('b.held_minor')} as "heldMinor",
                ${MINOR('b.allocated_minor')} as "allocatedMinor",
                ${MINOR('coalesce(sum(e.reserved_delta), 0)')} as "bookedReservedMinor",
                ${MINOR('coalesce(-sum(e.balance_delta), 0)')} as "bookedPaidMinor",
                (select count(*)::int from longhaul.jobs w where w.tenant_id = j.tenant_id
                   and w.kind = 'webhook.fanout' and w.natural_key = ${TELLING}) as tellings
           from longhaul.payout_batches b join longhaul.jobs j on j.id = b.job_id
           left join longhaul.account_entries e on e.batch_id = b.job_id
           group by b.job_id, j.tenant_id, j.status order by 1`,
      ),
      items: await rowsOf<BookedItem>(
        database,
        `select i.batch_id as "batchId", i.item, i.state, ${MINOR('i.amount_minor')} as "amountMinor",
                i.transfer_id as "transferId", i.job_id as "jobId", j.status as "jobStatus",
                (select count(*)::int from longhaul.account_entries e
                  where e.batch_id = i.batch_id and e.item = i.item and e.movement = 'pay') as "payEntries"
           from longhaul.payout_items i left join longhaul.jobs j on j.id = i.job_id order by 1, 2`,
      ),
      drift: await rowsOf(database, `select subject, rule from longhaul.payout_drift`),
      strayTellings: (
        await rowsOf<{ key: string }>(
          database,
          `select natural_key as key from longhaul.jobs w where kind = 'webhook.fanout'
              and not exists (select from longhaul.payout_batches b
                               where b.tenant_id = w.tenant_id and w.natural_key = ${TELLING})`,
        )
      ).map(({ key }) => key),
    };
  } finally {
    await database.end();
  }
}

/** Puts money into an account of each of these tenants, which it opens. */
export async function fillAccounts(
  databaseUrl: string,
  tenants: readonly string[],
  account: { readonly id: string; readonly currency: string; readonly amountMinor: number },
): Promise<void> {
  const database = openDatabase(databaseUrl, 'app', { max: 1, name: 'longhaul-chaos' });
  const relay = openDatabase(databaseUrl, 'relay', { max: 1, name: 'longhaul-chaos' });
  try {
    const known = await rowsOf<{ id: string }>(
      relay,
      `select id from longhaul.tenants where name = any($1)`,
      [tenants],
    );
    for (const { id: tenantId } of known) {
      const { id: accountId, currency, amountMinor } = account;
      await deposit(
        { query: (text, values) => database.query(text, values as unknown[]) as never },
        { tenantId, accountId, currency, amountMinor, reference: 'chaos' },
      );
    }
  } finally {
    await Promise.all([database.end(), relay.end()]);
  }
}

async function rowsOf<R extends object>(
  database: Database,
  text: string,
  values: readonly unknown[] = [],
): Promise<R[]> {
  return (await database.query<R>(text, [...values])).rows;
}
