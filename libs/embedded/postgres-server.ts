/** The embedded PostgreSQL: made once, then run with settings for a small machine. */
import { spawn } from 'node:child_process';
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import pg from 'pg';
import type { Home } from './home.js';
import { tailOf } from './log-file.js';
import { postgresProgram } from './postgres-binaries.js';
import type { PostgresPlace } from './postgres-place.js';
import { readOrCreatePrivateFile } from './private-file.js';
import { identify } from './process-identity.js';
import type { ProcessRegistry } from './process-registry.js';
import type { ProcessSpec } from './supervisor.js';

export interface DatabasePasswords {
  readonly superuser: string;
  readonly owner: string;
}

export const DATABASE = 'longhaul';
/** Owns the database and makes the roles, and is no superuser: forced row-level security holds for it too. */
const OWNER = 'longhaul';
const HOST = '127.0.0.1';
const PASSWORD_BYTES = 24;
const INITDB_TIMEOUT_MS = 60_000;
const START_TIMEOUT_MS = 60_000;
const CONNECT_TIMEOUT_MS = 2_000;

/**
 * For 2 cores and a laptop's memory. All our processes' pools together stay below max_connections. No parallel
 * queries: their shared memory is more than small containers have in /dev/shm, and exports are parallel by parts.
 * Never turn fsync, full_page_writes or synchronous_commit off: an accepted job must survive a power cut.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: HOST,
  unix_socket_directories: '',
  max_connections: '150',
  shared_buffers: '256MB',
  effective_cache_size: '1GB',
  work_mem: '16MB',
  maintenance_work_mem: '128MB',
  max_wal_size: '2GB',
  wal_compression: 'on',
  checkpoint_timeout: '15min',
  random_page_cost: '1.1',
  jit: 'off',
  max_worker_processes: '4',
  max_parallel_workers_per_gather: '0',
  max_parallel_maintenance_workers: '0',
  // A client that vanished must not hold its locks and its snapshot for hours.
  tcp_keepalives_idle: '30',
  client_connection_check_interval: '5s',
  log_line_prefix: '%m [%p] %a ',
  log_checkpoints: 'off',
};

/** The passwords of this home's database, made on first use. */
export function databasePasswords(home: Home): DatabasePasswords {
  const make = (): string => randomBytes(PASSWORD_BYTES).toString('base64url');
  const text = readOrCreatePrivateFile(home.databasePasswordFile, () =>
    JSON.stringify({ superuser: make(), owner: make() } satisfies DatabasePasswords),
  );
  return JSON.parse(text) as DatabasePasswords;
}

/** The owner's login: what `DATABASE_URL` is for our own processes. */
export function ownerUrl(port: number, passwords: DatabasePasswords): string {
  return `postgres://${OWNER}:${passwords.owner}@${HOST}:${port}/${DATABASE}`;
}

/** Makes the data folder if it is not there, whole or not at all: an interrupted attempt is thrown away. */
export async function initialisePostgres(
  place: PostgresPlace,
  passwords: DatabasePasswords,
  home: Home,
  registry: ProcessRegistry,
): Promise<void> {
  if (existsSync(join(place.data, 'PG_VERSION'))) return;
  const draft = `${place.data}.new`;
  const passwordFile = `${place.data}.password`;
  rmSync(draft, { recursive: true, force: true });
  rmSync(passwordFile, { force: true });
  mkdirSync(draft, { recursive: true, mode: 0o700 });
  try {
    writeFileSync(passwordFile, passwords.superuser, { mode: 0o600 });
    if (place.user) {
      chownSync(draft, place.user.uid, place.user.gid);
      chownSync(passwordFile, place.user.uid, place.user.gid);
    }
    await runInitdb(place, draft, passwordFile, join(home.logs, 'postgres.log'), registry);
    rmSync(place.data, { recursive: true, force: true }); // empty, or without a PG_VERSION
    renameSync(draft, place.data);
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

async function runInitdb(
  place: PostgresPlace,
  draft: string,
  passwordFile: string,
  logFile: string,
  registry: ProcessRegistry,
): Promise<void> {
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(
    postgresProgram(place.binaries, 'initdb'),
    [
      ...['--pgdata', draft, '--username', 'postgres', '--pwfile', passwordFile, '--auth', 'scram-sha-256'],
      // The same order of texts on every machine, whatever locales it has.
      ...[
        '--encoding',
        'UTF8',
        '--locale',
        'C',
        '--locale-provider',
        'builtin',
        '--builtin-locale',
        'C.UTF-8',
      ],
      '--no-instructions',
    ],
    { ...place.user, cwd: draft, detached: true, stdio: ['ignore', log, log], env: serverEnvironment() },
  );
  closeSync(log);
  const { pid } = child;
  const identity = pid === undefined ? undefined : identify(pid);
  if (identity) {
    registry.add({ ...identity, name: 'initdb', tier: 'app', stopSignal: 'SIGINT', killSignal: 'SIGKILL' });
  }
  const timer = setTimeout(() => child.kill('SIGKILL'), INITDB_TIMEOUT_MS);
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        if (code === 0) resolve();
        else reject(new Error(`initdb ended with ${signal ?? code}:\n${tailOf(logFile)}`));
      });
    });
  } finally {
    clearTimeout(timer);
    if (pid !== undefined) registry.remove(pid);
  }
}

/** How to run it; fast shutdown when asked, immediate when it must be. */
export function postgresSpec(
  place: PostgresPlace,
  port: number,
  passwords: DatabasePasswords,
  home: Home,
): ProcessSpec {
  const options = Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return {
    name: 'postgres',
    tier: 'server',
    command: postgresProgram(place.binaries, 'postgres'),
    args: ['-D', place.data, '-p', String(port), ...options],
    env: serverEnvironment(),
    cwd: place.data,
    ...place.user,
    logFile: join(home.logs, 'postgres.log'),
    stopSignal: 'SIGINT',
    killSignal: 'SIGQUIT',
    startTimeoutMs: START_TIMEOUT_MS,
    probe: () => asSuperuser(port, passwords, async () => undefined),
  };
}

/** Makes the owner's login and its database; does nothing where they are. */
export async function bootstrapDatabase(port: number, passwords: DatabasePasswords): Promise<void> {
  await asSuperuser(port, passwords, async (connection) => {
    const { rows } = await connection.query<{ role: boolean; database: boolean }>(
      `select exists (select from pg_roles where rolname = $1) as role,
              exists (select from pg_database where datname = $2) as database`,
      [OWNER, DATABASE],
    );
    if (!rows[0]?.role) {
      const password = connection.escapeLiteral(passwords.owner);
      await connection.query(`create role ${OWNER} login createdb createrole password ${password}`);
    }
    if (!rows[0]?.database) await connection.query(`create database ${DATABASE} owner ${OWNER}`);
  });
}

async function asSuperuser<R>(
  port: number,
  passwords: DatabasePasswords,
  work: (connection: pg.Client) => Promise<R>,
): Promise<R> {
  const connection = new pg.Client({
    host: HOST,
    port,
    user: 'postgres',
    password: passwords.superuser,
    database: 'postgres',
    application_name: 'longhaul-supervisor',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  connection.on('error', () => undefined); // a lost idle connection; the next query tells
  await connection.connect();
  try {
    return await work(connection);
  } finally {
    await connection.end();
  }
}

function serverEnvironment(): NodeJS.ProcessEnv {
  // Nothing of ours: PGPORT, PGDATA or a locale of the caller must not reach it.
  return { PATH: process.env.PATH, LC_ALL: 'C', TZ: process.env.TZ };
}
