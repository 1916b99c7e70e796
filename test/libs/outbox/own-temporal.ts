/** A Temporal development server of the test's own, on a database file: it can be stopped, killed and started again. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { eventually } from '../../support/stack.js';
import { temporalBinaries } from '../../support/temporal.js';
import { freePort } from '../../support/ports.js';

export interface OwnTemporal {
  readonly address: string;
  readonly namespace: string;
  /** Starts it, and waits until it serves. */
  start(): Promise<void>;
  /** Ends it by SIGKILL; what was committed stays in the file. */
  kill(): Promise<void>;
  /** Ends it for good, and its file. */
  close(): Promise<void>;
}

/** `dynamicConfig`: `key=value` as the server's option takes it. */
export async function createOwnTemporal(dynamicConfig: readonly string[] = []): Promise<OwnTemporal> {
  const dir = await mkdtemp(join(tmpdir(), 'longhaul-temporal-'));
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  let child: ChildProcess | undefined;

  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  };
  return {
    address,
    namespace: 'default',
    start: async () => {
      child = spawn(
        temporalBinaries().cli,
        [
          ...[
            'server',
            'start-dev',
            '--headless',
            '--ip',
            '127.0.0.1',
            '--port',
            String(port),
            '--log-level',
            'error',
          ],
          ...['--db-filename', join(dir, 'temporal.db')],
          ...['--sqlite-pragma', 'journal_mode=wal', '--sqlite-pragma', 'synchronous=normal'],
          ...['--search-attribute', 'Tenant=Keyword', '--search-attribute', 'Kind=Keyword'],
          ...dynamicConfig.flatMap((value) => ['--dynamic-config-value', value]),
        ],
        { stdio: 'ignore' },
      );
      await eventually('the engine', async () => {
        const connection = await Connection.connect({ address, connectTimeout: 1_000 });
        try {
          await connection.workflowService.describeNamespace({ namespace: 'default' });
        } finally {
          await connection.close();
        }
        return true;
      });
    },
    kill,
    close: async () => {
      await kill();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
