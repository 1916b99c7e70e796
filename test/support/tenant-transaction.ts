/** The ledger's transactions for sagas that run in memory over a real database. */
import type { MemoryTransaction } from '../../libs/saga/memory.js';
import type { Connection, Database } from '../../libs/store/database.js';

/** A tenant's transaction that begins with its first query. */
export function openTransaction(worker: Database, tenantId: string): MemoryTransaction {
  let begun: Promise<Connection> | undefined;
  const begin = async (): Promise<Connection> => {
    const connection = await worker.connect();
    await connection.query('begin');
    await connection.query(`select set_config('longhaul.tenant', $1, true)`, [tenantId]);
    return connection;
  };
  const end = async (how: 'commit' | 'rollback'): Promise<void> => {
    const connection = await begun;
    await connection?.query(how);
    connection?.release();
  };
  return {
    tx: {
      async query(text, values) {
        begun ??= begin();
        return (await begun).query(text, values as unknown[]) as never;
      },
    },
    commit: () => end('commit'),
    rollback: () => end('rollback'),
  };
}
