/** The provider's own database: a file, committed to disk before anything is answered. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export type { DatabaseSync } from 'node:sqlite';

/** Money is integers of minor units, strictly. */
const SCHEMA = `
  create table if not exists balances (
    currency text primary key,
    opening_minor integer not null check (opening_minor >= 0),
    balance_minor integer not null check (balance_minor >= 0)
  ) strict;
  create table if not exists recipients (
    id text primary key,
    status text not null check (status in ('allowed', 'blocked'))
  ) strict;
  create table if not exists transfers (
    seq integer primary key autoincrement,
    id text not null unique,
    key text not null,
    amount_minor integer not null check (amount_minor > 0),
    currency text not null references balances,
    recipient text not null,
    reference text not null,
    created_at text not null
  ) strict;
  create index if not exists transfers_key on transfers (key, seq);
  create table if not exists keys (
    key text primary key,
    -- Of the body it came with; null: burnt before it was ever used.
    digest text,
    transfer_id text references transfers (id),
    check ((digest is null) = (transfer_id is null))
  ) strict;
  create table if not exists refunds (
    id text primary key,
    transfer_id text not null unique references transfers (id),
    amount_minor integer not null,
    created_at text not null
  ) strict;
  create table if not exists plans (version integer primary key autoincrement, plan text not null) strict;
  create table if not exists requests (
    id integer primary key autoincrement,
    plan integer not null,
    route text not null,
    key text not null,
    -- Of this route since the plan was set.
    nth integer not null,
    mode text,
    rule integer
  ) strict;
  create index if not exists requests_nth on requests (plan, route, nth);
  create index if not exists requests_key on requests (plan, route, key);
  create index if not exists requests_rule on requests (plan, rule) where rule is not null;
`;

/** What a fresh provider has of each currency. */
export interface Opening {
  readonly currencies: readonly string[];
  readonly minor: number;
}

/** Ten billion of the currency itself, where a hundred minor units make one. */
export const OPENING_DEFAULT: Opening = {
  currencies: ['EUR', 'USD', 'GBP', 'CHF'],
  minor: 1_000_000_000_000,
};

/** Opens the file, or makes it. What was committed survives a SIGKILL and a loss of power. */
export function openProviderDatabase(file: string, opening: Opening = OPENING_DEFAULT): DatabaseSync {
  mkdirSync(dirname(file), { recursive: true });
  const database = new DatabaseSync(file);
  database.exec('pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on;');
  database.exec(SCHEMA);
  const add = database.prepare('insert into balances values (?, ?, ?) on conflict do nothing');
  for (const currency of opening.currencies) add.run(currency, opening.minor, opening.minor);
  return database;
}

/** Runs `work`, which is synchronous, in one transaction. */
export function inOneTransaction<R>(database: DatabaseSync, work: () => R): R {
  database.exec('begin immediate');
  try {
    const result = work();
    database.exec('commit');
    return result;
  } catch (error) {
    database.exec('rollback');
    throw error;
  }
}
