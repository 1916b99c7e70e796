import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const FIXTURE = fileURLToPath(new URL('./shutdown.fixture.ts', import.meta.url));

async function start(
  mode: string,
): Promise<{ child: ChildProcess; exit: Promise<number | null>; output: () => string }> {
  const child = fork(FIXTURE, [mode], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    execArgv: ['--import', 'tsx'],
  });
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exit = once(child, 'exit').then(([code]) => code as number | null);
  await once(child, 'message');
  return { child, exit, output: () => output };
}

describe('a process that is asked to end', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('runs its handler once on %s and exits with 0', async (signal) => {
    const { child, exit, output } = await start('graceful');
    child.kill(signal);
    expect(await exit).toBe(0);
    expect(output()).toBe(`${signal}\n`);
  });

  it('ends when its supervisor is gone', async () => {
    const { child, exit, output } = await start('graceful');
    child.disconnect();
    expect(await exit).toBe(0);
    expect(output()).toBe('disconnect\n');
  });

  it('exits with 1 when the handler fails, and with 70 when it does not come to an end', async () => {
    const failing = await start('failing');
    failing.child.kill('SIGTERM');
    expect(await failing.exit).toBe(1);
    const hanging = await start('hanging');
    hanging.child.kill('SIGTERM');
    expect(await hanging.exit).toBe(70);
  });
});
