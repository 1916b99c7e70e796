/** The commands that README and docs/api.md print, run as printed. */
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { freePort } from '../support/ports.js';
import { startTestStack } from '../support/stack.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PATH_TIMEOUT_MS = 120_000;

const blocksOf = (text: string): string[] =>
  [...text.matchAll(/```sh\n(.*?)```/gs)].map((match) => match[1] ?? '');

/** The five minutes' commands, but the one that starts the stack in the foreground. */
async function readmeCommands(): Promise<string> {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  const [start, ...rest] = blocksOf(/### In five minutes.*?(?=\n## )/s.exec(readme)?.[0] ?? '');
  expect(start).toBe('npm start\n');
  return rest.join('\n');
}

async function run(script: string, folder: string): Promise<string> {
  const { LONGHAUL_URL: _url, LONGHAUL_KEY: _key, LONGHAUL_HOME: _home, ...env } = process.env;
  const options = { cwd: folder, env, timeout: PATH_TIMEOUT_MS };
  return (await promisify(execFile)('bash', ['-c', `set -euo pipefail\n${script}`], options)).stdout;
}

it(
  'works as printed',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'longhaul-readme-'));
    // Root's PostgreSQL is another user: where it cannot pass through, its data would go, and stay, elsewhere.
    await chmod(folder, 0o755);
    const stack = await startTestStack(join(folder, '.longhaul'), { PORT: String(await freePort()) });
    onTestFinished(async () => {
      await stack.stop();
      await rm(folder, { recursive: true, force: true });
    });
    // The reader is in the project's folder, where the command is.
    await symlink(join(ROOT, 'longhaul'), join(folder, 'longhaul'));
    const stdout = await run(await readmeCommands(), folder);

    expect(stdout).toContain('HTTP/1.1 202');
    expect(stdout).toMatch(/event: job\nid: \d+\ndata: .*"status":"SUCCEEDED"/);
    const announced = /"sha256":"([0-9a-f]{64})"(?=[^{]*"filename")/.exec(stdout)?.[1];
    const computed = /^([0-9a-f]{64}) {2}flights\.csv$/m.exec(stdout)?.[1];
    expect(announced).toBeDefined();
    expect(computed).toBe(announced);
    expect(stdout).toMatch(/✓ SUCCEEDED after/);
    const jobs = stdout.slice(stdout.indexOf('ID  ')).trim().split('\n');
    expect(jobs).toHaveLength(3);

    const api = await run(blocksOf(await readFile(join(ROOT, 'docs/api.md'), 'utf8')).join('\n'), folder);
    expect(api.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200']);
    expect(api).toContain('"duplicate":true');
    expect(api).toContain('"code":"job_finished"');
    expect(api).toContain('"pointer":"/input/version"');
    expect(api).toContain('"possible":false');
    expect(api).toMatch(/✓ SUCCEEDED after/);
  },
  PATH_TIMEOUT_MS + 60_000,
);
