/** Connections to the source databases: read-only, capped, one pool a source. */
import pg from 'pg';
import { openCopySocket } from '../store/copy-socket.js';
import type { Datasets } from './datasets.js';

const PARTS_AT_ONCE_MAX = 4;
/** A count may take as long as all parts together: it must not take their place, nor that of another export's plan. */
const COUNTS_AT_ONCE_MAX = 2;
const CONNECT_TIMEOUT_MS = 5_000;
const IDLE_TIMEOUT_MS = 30_000;
/** How soon PostgreSQL notices, in the middle of a sort, that nobody listens any more. */
const CLIENT_CHECK = '2s';

/** How every value is written, whatever the source's defaults: the same bytes wherever the rows lie. */
export const OUTPUT_SETTINGS = {
  datestyle: 'ISO,YMD',
  intervalstyle: 'iso_8601',
  timezone: 'UTC',
  bytea_output: 'hex',
  extra_float_digits: '1',
} as const;
const SESSION_SQL = Object.entries({ ...OUTPUT_SETTINGS, statement_timeout: '0' })
  .map(([name, value]) => `set local ${name} = '${value}'`)
  .join('; ');

/**
 * `SET TRANSACTION SNAPSHOT` of one that is gone: invalid value (22023), undefined object (42704, from 17 on), or its
 * holder is no longer running (55000).
 */
const SNAPSHOT_GONE = new Set(['22023', '42704', '55000']);

/** The snapshot a transaction should adopt does not exist any more. */
export class SnapshotGone extends Error {
  constructor(cause: unknown) {
    super('The snapshot of the source database is gone; its holder was lost.', { cause });
    this.name = 'SnapshotGone';
  }
}

/** Every connection to the source that there may be is in use. */
export class SourceBusy extends Error {
  constructor(cause: unknown) {
    super('Every connection to the source database is in use.', { cause });
    this.name = 'SourceBusy';
  }
}

export interface InSnapshotOptions {
  /** Ends the work, and what the database does for it. */
  readonly signal?: AbortSignal;
  /** Counts have connections of their own. */
  readonly isCount?: boolean;
}

export interface Source {
  /** Runs one query of the operator's, in a read-only transaction of its own. */
  ask<R extends pg.QueryResultRow>(text: string): Promise<R[]>;
  /**
   * Runs `work` in a read-only transaction that sees exactly what the snapshot's holder sees. Throws SnapshotGone, and
   * SourceBusy where no connection is to be had in time.
   */
  inSnapshot<R>(
    snapshot: string,
    work: (connection: pg.ClientBase) => Promise<R>,
    options?: InSnapshotOptions,
  ): Promise<R>;
  /** Runs `work` in a read-only transaction that sees one moment of the database. Throws SourceBusy, as above. */
  atOneMoment<R>(work: (connection: pg.ClientBase) => Promise<R>, options?: InSnapshotOptions): Promise<R>;
  /** A connection of its own, not yet connected, for whoever holds a snapshot. */
  connection(): pg.Client;
}

export interface Sources {
  of(variable: string): Source;
  close(): Promise<void>;
}

/** Opens the sources of all datasets. Throws at boot, naming every variable that is not set. */
export function openSources(datasets: Datasets, env: NodeJS.ProcessEnv = process.env): Sources {
  const missing = datasets.sources.filter((variable) => !env[variable]);
  if (missing.length > 0) {
    throw new Error(
      `The datasets' file names sources that are not set: ${missing.join(', ')}. Set each to the URL of a login that can only read.`,
    );
  }
  const pools = new Map(
    datasets.sources.map((variable) => {
      const url = env[variable] ?? '';
      return [
        variable,
        { parts: openPool(url, PARTS_AT_ONCE_MAX), counts: openPool(url, COUNTS_AT_ONCE_MAX) },
      ] as const;
    }),
  );
  return {
    of(variable) {
      const pool = pools.get(variable);
      if (!pool) throw new Error(`No dataset names the source ${variable}`);
      return sourceOf(pool, env[variable] ?? '');
    },
    async close() {
      await Promise.all([...pools.values()].flatMap(({ parts, counts }) => [parts.end(), counts.end()]));
    },
  };
}

function openPool(url: string, max: number): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: IDLE_TIMEOUT_MS,
    keepAlive: true,
    application_name: 'longhaul-export',
    stream: openCopySocket,
    options: `-c client_connection_check_interval=${CLIENT_CHECK}`,
  });
  // The pool replaces an idle connection that broke; whoever needs the source next hears of it by itself.
  pool.on('error', () => undefined);
  return pool;
}

interface Pools {
  readonly parts: pg.Pool;
  readonly counts: pg.Pool;
}

/** A wait for others is nobody's failure; a database that does not answer is, and leaves its place in the pool. */
async function connect(pool: pg.Pool): Promise<pg.PoolClient> {
  return pool.connect().catch((error: unknown) => {
    const isFull = pool.totalCount >= pool.options.max && pool.idleCount === 0;
    throw isFull ? new SourceBusy(error) : error;
  });
}

function sourceOf({ parts, counts }: Pools, url: string): Source {
  /** A transaction that is given up, connection and all, when anything in it fails. */
  const inTransaction = async <R>(
    begin: (connection: pg.ClientBase) => Promise<unknown>,
    work: (connection: pg.ClientBase) => Promise<R>,
    { signal, isCount = false }: InSnapshotOptions = {},
  ): Promise<R> => {
    const connection = await connect(isCount ? counts : parts);
    // An error of the connection reaches us through the query that it breaks; alone it would end the process.
    const ignore = (): void => undefined;
    connection.on('error', ignore);
    // With a query under way it cuts the line, and the database notices (client_connection_check_interval).
    const stop = (): void => void (connection as pg.PoolClient & pg.Client).end().catch(ignore);
    signal?.addEventListener('abort', stop, { once: true });
    let broken = true;
    try {
      signal?.throwIfAborted();
      await begin(connection);
      const result = await work(connection);
      await connection.query('commit');
      broken = false;
      return result;
    } finally {
      signal?.removeEventListener('abort', stop);
      connection.off('error', ignore);
      if (broken) connection.on('error', ignore);
      connection.release(broken);
    }
  };
  return {
    ask: (text) =>
      inTransaction(
        (connection) => connection.query('begin read only'),
        async (connection) => (await connection.query(text)).rows as never,
      ),
    inSnapshot: (snapshot, work, options) =>
      inTransaction((connection) => adopt(connection, snapshot), work, options),
    atOneMoment: (work, options) =>
      inTransaction(
        (connection) => connection.query(`begin isolation level repeatable read, read only; ${SESSION_SQL}`),
        work,
        options,
      ),
    connection: () =>
      new pg.Client({
        connectionString: url,
        connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
        keepAlive: true,
        application_name: 'longhaul-snapshot',
        options: '-c idle_in_transaction_session_timeout=0 -c statement_timeout=0',
      }),
  };
}

async function adopt(connection: pg.ClientBase, snapshot: string): Promise<void> {
  try {
    await connection.query(
      `begin isolation level repeatable read, read only; set transaction snapshot ${pg.escapeLiteral(snapshot).trim()}`,
    );
  } catch (error) {
    if (error instanceof pg.DatabaseError && SNAPSHOT_GONE.has(error.code ?? ''))
      throw new SnapshotGone(error);
    throw error;
  }
  await connection.query(SESSION_SQL);
}
