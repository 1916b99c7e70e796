/**
 * What every integration test shares: one PostgreSQL (the embedded one) with a migrated template database, and one
 * Temporal development server with a namespace for each test file. Both end with the run.
 */
import { spawn, execFileSync, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { prepareDemoSource, type DemoSource } from '../../libs/datasets/demo-source.js';
import { locateHome } from '../../libs/embedded/home.js';
import { findPostgresBinaries, postgresProgram } from '../../libs/embedded/postgres-binaries.js';
import { placePostgres } from '../../libs/embedded/postgres-place.js';
import { findTemporalCli, findTemporalTestServer } from '../../libs/embedded/temporal-binary.js';
import { migrate } from '../../libs/store/migrate.js';
import { freePort } from './ports.js';
import type { TestProject } from 'vitest/node';

const NAMESPACES = 96;
const UP_TIMEOUT_MS = 60_000;
const CALL_TIMEOUT_MS = 10_000;
const TEMPLATE = 'longhaul_template';
const DATASETS = 'shared_demo';

declare module 'vitest' {
  interface ProvidedContext {
    postgres: { adminUrl: string; template: string };
    /** The demo's datasets for all stacks of the run, empty until one asks (test/support/stack.ts). */
    datasets: DemoSource;
    temporal: { address: string; namespaces: string[]; claimsDir: string };
    temporalBinaries: { cli: string; testServer: string };
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dir = mkdtempSync(join(tmpdir(), 'longhaul-test-'));
  chmodSync(dir, 0o755);
  // What the tests start compiles a module once a run, not once a process; any user may be theirs.
  process.env.NODE_COMPILE_CACHE = join(dir, 'compiled');
  mkdirSync(process.env.NODE_COMPILE_CACHE);
  chmodSync(process.env.NODE_COMPILE_CACHE, 0o777);
  const servers: ChildProcess[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(servers.map((server) => ended(server)));
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const [cli, testServer] = await Promise.all([findTemporalCli(), findTemporalTestServer()]);
    const [adminUrl, temporal] = await Promise.all([
      startPostgres(dir, servers),
      startTemporal(dir, cli, servers),
    ]);
    await migrate(adminUrl.replace(/postgres$/, TEMPLATE));
    project.provide('postgres', { adminUrl, template: TEMPLATE });
    project.provide('datasets', await prepareDemoSource(adminUrl, DATASETS));
    project.provide('temporal', temporal);
    project.provide('temporalBinaries', { cli, testServer });
  } catch (error) {
    await close();
    throw error;
  }
  return close;
}

async function startPostgres(dir: string, servers: ChildProcess[]): Promise<string> {
  // As root, programs and data must lie where the server's own user can enter, as `longhaul up` sees to it.
  const place = await placePostgres(locateHome({ LONGHAUL_HOME: dir }), findPostgresBinaries(), {
    fingerprint: dir,
    outsideRoot: join(dir, 'outside'),
  });
  const { data, user } = place;
  mkdirSync(data, { mode: 0o700, recursive: true });
  if (user) chownSync(data, user.uid, user.gid);
  execFileSync(
    postgresProgram(place.binaries, 'initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8'],
    { ...user, stdio: 'pipe', cwd: data },
  );
  const port = await freePort();
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '400',
    log_min_messages: 'fatal',
    fsync: 'off',
    full_page_writes: 'off',
  };
  const child = spawn(
    postgresProgram(place.binaries, 'postgres'),
    [
      '-D',
      data,
      '-p',
      String(port),
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    { ...user, stdio: ['ignore', 'ignore', 'inherit'], cwd: data },
  );
  servers.push(child);
  const adminUrl = `postgres://postgres@127.0.0.1:${port}/postgres`;
  await until('PostgreSQL', child, async () => {
    const connection = new pg.Client({
      connectionString: adminUrl,
      connectionTimeoutMillis: CALL_TIMEOUT_MS,
    });
    await connection.connect();
    await connection.query(`create database ${TEMPLATE}`);
    await connection.end();
  });
  return adminUrl;
}

async function startTemporal(
  dir: string,
  cli: string,
  servers: ChildProcess[],
): Promise<{ address: string; namespaces: string[]; claimsDir: string }> {
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const namespaces = Array.from({ length: NAMESPACES }, (_, i) => `test-${i}`);
  const claimsDir = join(dir, 'namespaces');
  mkdirSync(claimsDir);
  const child = spawn(
    cli,
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
      ...['--search-attribute', 'Tenant=Keyword', '--search-attribute', 'Kind=Keyword'],
      ...['--dynamic-config-value', 'history.timerProcessorMaxTimeShift="10ms"'],
      ...['--dynamic-config-value', 'matching.numTaskqueueReadPartitions=1'],
      ...['--dynamic-config-value', 'matching.numTaskqueueWritePartitions=1'],
      ...namespaces.flatMap((namespace) => ['--namespace', namespace]),
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  servers.push(child);
  await until('Temporal', child, async () => {
    execFileSync(cli, ['operator', 'cluster', 'health', '--address', address], {
      stdio: 'pipe',
      timeout: CALL_TIMEOUT_MS,
    });
  });
  return { address, namespaces, claimsDir };
}

async function until(what: string, child: ChildProcess, ready: () => Promise<void>): Promise<void> {
  const giveUpAt = Date.now() + UP_TIMEOUT_MS;
  for (;;) {
    try {
      return await ready();
    } catch (error) {
      if (child.exitCode !== null) throw new Error(`${what} ended with ${child.exitCode}`, { cause: error });
      if (Date.now() > giveUpAt)
        throw new Error(`${what} is not up after ${UP_TIMEOUT_MS} ms`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** PostgreSQL: a fast shutdown; Temporal: as Ctrl-C. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGINT');
  await exit;
}
