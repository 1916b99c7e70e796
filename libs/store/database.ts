/** Connections to Longhaul's own PostgreSQL: a pool for each role, and transactions bound to a tenant. */
import pg from 'pg';

export type DatabaseRole = 'app' | 'worker' | 'relay';
export type Database = pg.Pool;
export type Connection = pg.PoolClient;

const CONNECT_TIMEOUT_MS = 3_000;
const IDLE_TIMEOUT_MS = 30_000;

export interface DatabaseOptions {
  /** Connections at most. Never more than PostgreSQL was told, over all processes. */
  readonly max?: number;
  /** Shown in pg_stat_activity. */
  readonly name?: string;
  /** A query without an answer for this long fails, and its connection is given up: a cut cable says nothing. */
  readonly queryTimeoutMs?: number;
}

/**
 * Opens a pool whose connections act as `longhaul_<role>` (the login must be a member of it, or be it). Errors of
 * idle connections are given to `onError`: the pool replaces them by itself.
 */
export function openDatabase(
  url: string,
  role: DatabaseRole,
  options: DatabaseOptions & { onError?: (error: Error) => void } = {},
): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: options.max ?? 10,
    options: `-c role=longhaul_${role}`,
    application_name: options.name ?? `longhaul-${role}`,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: IDLE_TIMEOUT_MS,
    // A frozen process must not hold a row's lock for ever (SAGA_RULES, ledger, `own`).
    idle_in_transaction_session_timeout: 60_000,
    ...(options.queryTimeoutMs === undefined ? {} : { query_timeout: options.queryTimeoutMs }),
  });
  pool.on('error', (error) => options.onError?.(error));
  return pool;
}

/** Runs `work` in one transaction that sees and writes only this tenant's rows; rolls back when it throws. */
export async function inTenant<R>(
  database: Database,
  tenantId: string,
  work: (connection: Connection) => Promise<R>,
): Promise<R> {
  const tenant = pg.escapeLiteral(tenantId);
  return inTransaction(database, work, `begin; select set_config('longhaul.tenant', ${tenant}, true)`);
}

/**
 * Runs `work` in one transaction; rolls back when it throws, and gives up the connection when even that fails. `begin`
 * may set more for the transaction, in the same round trip.
 */
export async function inTransaction<R>(
  database: Database,
  work: (connection: Connection) => Promise<R>,
  begin = 'begin',
): Promise<R> {
  const connection = await database.connect();
  let broken: Error | undefined;
  try {
    await connection.query(begin);
    const result = await work(connection);
    await connection.query('commit');
    return result;
  } catch (error) {
    await connection.query('rollback').catch((rollbackError: unknown) => {
      broken = rollbackError instanceof Error ? rollbackError : new Error(String(rollbackError));
    });
    throw error;
  } finally {
    connection.release(broken);
  }
}
