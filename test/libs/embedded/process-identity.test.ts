import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { identify, isRunning, signalProcess } from '../../../libs/embedded/process-identity.js';

async function startSleeper() {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  await new Promise((resolve) => child.once('spawn', resolve));
  const identity = identify(child.pid ?? 0);
  if (!identity) throw new Error('sleep does not run');
  return { identity, exited };
}

/** The state letter of `/proc/PID/stat`: what follows the command's closing parenthesis. */
function stateOf(pid: number | undefined): string | undefined {
  return /\) (\w) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1];
}

describe('process identity', () => {
  it('knows a running process again, and knows when it has ended', async () => {
    const { identity, exited } = await startSleeper();
    expect(isRunning(identity)).toBe(true);
    expect(signalProcess(identity, 'SIGKILL')).toBe(true);
    await exited;
    expect(isRunning(identity)).toBe(false);
    expect(signalProcess(identity, 'SIGKILL')).toBe(false);
  });

  it('does not take another process with the same id for it', async () => {
    const { identity, exited } = await startSleeper();
    const impostor = { ...identity, startedAt: `${identity.startedAt}0` };
    expect(isRunning(impostor)).toBe(false);
    expect(signalProcess(impostor, 'SIGKILL')).toBe(false);
    expect(isRunning(identity)).toBe(true);
    signalProcess(identity, 'SIGKILL');
    await exited;
  });

  it.runIf(process.platform === 'linux')('takes a dead process that nobody reaped for ended', async () => {
    // The shell stops itself; its child ends only after that, so that nobody is left to reap it.
    const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; kill -STOP $$; wait'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    try {
      const pid = await new Promise<number>((resolve) =>
        parent.stdout.once('data', (chunk: Buffer) => resolve(Number(chunk.toString()))),
      );
      await expect.poll(() => stateOf(parent.pid)).toBe('T');
      process.kill(pid, 'SIGKILL');
      await expect.poll(() => stateOf(pid)).toBe('Z');
      expect(identify(pid)).toBeUndefined();
    } finally {
      parent.kill('SIGKILL');
    }
  });
});
