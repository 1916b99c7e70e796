/** What an auditor asks: are the sums right, was anything paid twice, what went wrong and how often. */
import type { FaultsStore } from './faults.store.js';
import type { DatabaseSync } from './provider.database.js';

/** Keys that paid more than once are listed up to here, and counted beyond. */
const LISTED_MAX = 100;

export interface Balance {
  readonly currency: string;
  readonly openingMinor: number;
  readonly balanceMinor: number;
}

export interface Audit {
  readonly currencies: readonly (Balance & {
    readonly transfers: number;
    readonly transferredMinor: number;
    readonly refunds: number;
    readonly refundedMinor: number;
    /** opening − transferred + refunded is the balance. */
    readonly isConserved: boolean;
  })[];
  /** Keys under which more was paid than once. */
  readonly paidTwice: { readonly keys: number; readonly first: readonly string[] };
  readonly burntKeys: number;
  /** By route, and by mode of those that went wrong. */
  readonly requests: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
}

/** What there is in each currency. */
export function readBalances(database: DatabaseSync): Balance[] {
  const rows = database
    .prepare('select currency, opening_minor, balance_minor from balances order by currency')
    .all() as { currency: string; opening_minor: number; balance_minor: number }[];
  return rows.map((row) => ({
    currency: row.currency,
    openingMinor: row.opening_minor,
    balanceMinor: row.balance_minor,
  }));
}

export function readAudit(database: DatabaseSync, faults: FaultsStore): Audit {
  const sums = database.prepare(
    `select count(*) as transfers, coalesce(sum(t.amount_minor), 0) as transferred,
            count(r.id) as refunds, coalesce(sum(r.amount_minor), 0) as refunded
       from transfers t left join refunds r on r.transfer_id = t.id where t.currency = ?`,
  );
  const twice = database.prepare(
    'select key from transfers group by key having count(*) > 1 order by min(seq)',
  );
  const burnt = database.prepare('select count(*) as n from keys where digest is null');
  const keys = (twice.all() as { key: string }[]).map(({ key }) => key);
  return {
    currencies: readBalances(database).map((balance) => {
      const sum = sums.get(balance.currency) as Record<
        'transfers' | 'transferred' | 'refunds' | 'refunded',
        number
      >;
      return {
        ...balance,
        transfers: sum.transfers,
        transferredMinor: sum.transferred,
        refunds: sum.refunds,
        refundedMinor: sum.refunded,
        isConserved: balance.openingMinor - sum.transferred + sum.refunded === balance.balanceMinor,
      };
    }),
    paidTwice: { keys: keys.length, first: keys.slice(0, LISTED_MAX) },
    burntKeys: (burnt.get() as { n: number }).n,
    ...faults.counts(),
  };
}
