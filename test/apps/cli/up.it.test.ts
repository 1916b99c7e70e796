import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { lockHome } from '../../../libs/embedded/home-lock.js';

const program = resolve(import.meta.dirname, '../../../apps/cli/bin/longhaul.mjs');

test.each([
  ['called by a Node of our own', ['ignore', 'ignore', 'pipe']],
  ['handed over to by an older Node', ['ignore', 'ignore', 'pipe', 'ipc']],
] as const)('a second start on one home says so and ends, %s', async (_, stdio) => {
  const home = mkdtempSync(join(tmpdir(), 'longhaul-up-'));
  const lock = lockHome(join(home, 'up.lock'));
  try {
    const child = spawn(process.execPath, [program, 'up'], {
      stdio: [...stdio],
      env: { ...process.env, LONGHAUL_HOME: home, LONGHAUL_NODE_HANDED_OVER: '1' },
      timeout: 20_000,
      killSignal: 'SIGKILL',
    });
    let said = '';
    child.stderr?.on('data', (text) => (said += String(text)));
    const [code] = (await once(child, 'close')) as [number | null];
    expect([code, said]).toEqual([3, expect.stringContaining(`pid ${process.pid}`)]);
  } finally {
    if ('release' in lock) lock.release();
    rmSync(home, { recursive: true, force: true });
  }
});
