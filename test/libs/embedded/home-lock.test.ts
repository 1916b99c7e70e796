import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockHome, type HomeLock } from '../../../libs/embedded/home-lock.js';
import { identify } from '../../../libs/embedded/process-identity.js';

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'longhaul-lock-'));
  file = join(dir, 'up.lock');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function held(lock: ReturnType<typeof lockHome>): HomeLock {
  if ('heldBy' in lock) throw new Error(`held by ${lock.heldBy.pid}`);
  return lock;
}

async function deadProcess() {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  await new Promise((resolve) => child.once('spawn', resolve));
  const identity = identify(child.pid ?? 0);
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('exit', resolve));
  return identity;
}

describe('lockHome', () => {
  it('is held by one at a time, and names the holder to the other', () => {
    const lock = held(lockHome(file));
    expect(lockHome(file)).toEqual({ heldBy: identify(process.pid) });
    lock.release();
    expect(existsSync(file)).toBe(false);
    held(lockHome(file));
  });

  it('is taken over from a holder that was killed', async () => {
    writeFileSync(file, JSON.stringify(await deadProcess()));
    expect(held(lockHome(file)).isHeld()).toBe(true);
  });

  it('is not held any more once the home was removed, and leaves a later holder alone', async () => {
    const lock = held(lockHome(file));
    rmSync(file);
    expect(lock.isHeld()).toBe(false);
    const other = JSON.stringify(await deadProcess());
    writeFileSync(file, other);
    lock.release();
    expect(existsSync(file)).toBe(true);
  });

  it('is private', () => {
    held(lockHome(file));
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });
});
