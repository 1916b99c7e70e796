/** `$LONGHAUL_HOME/run.json`: where everything of the running stack is, for other programs. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import type { Home } from './home.js';
import { readLockHolder } from './home-lock.js';
import { writePrivateFile } from './private-file.js';
import { isRunning } from './process-identity.js';
import type { SeededKeys } from './demo-tenant.store.js';

export interface RunFile {
  /** Base URL of the HTTP API. */
  readonly api: string;
  /** Prometheus metrics of all the processes together. */
  readonly metrics: string;
  /** `host:port` of Temporal's frontend. */
  readonly temporal: string;
  /** Null where TEMPORAL_ADDRESS was given without a TEMPORAL_UI_URL. */
  readonly temporalUi: string | null;
  /** The sandbox payment provider; null where PAYMENT_PROVIDER_URL was given. */
  readonly paymentProvider: string | null;
  /** The sandbox mailbox, which shows the e-mail that was sent; null where LONGHAUL_SMTP_URL was given. */
  readonly mailbox: string | null;
  /** Where e-mail goes to, for the processes of a stack with the sandbox mailbox. */
  readonly smtp: string | null;
  /** The login of the schema's owner. */
  readonly databaseUrl: string;
  readonly keys: SeededKeys;
  /** A process that is being restarted is null for the moment; postgres and temporal where they are not embedded. */
  readonly pids: {
    readonly api: number | null;
    readonly relay: number | null;
    readonly workers: readonly number[];
    readonly postgres: number | null;
    readonly temporal: number | null;
    readonly paymentProvider: number | null;
    readonly mailbox: number | null;
    readonly supervisor: number;
    readonly guard: number | null;
  };
  readonly home: string;
  readonly logs: string;
  /** Where the database's files are: outside the home when root runs in a home that others cannot enter. */
  readonly postgresData: string | null;
  readonly postgresBinaries: string | null;
  readonly startedAt: string;
}

/** Writes it, mode 0600, in one step. */
export function writeRunFile(home: Home, run: RunFile): void {
  writePrivateFile(home.runFile, `${JSON.stringify(run, null, 2)}\n`);
}

export function removeRunFile(home: Home): void {
  rmSync(home.runFile, { force: true });
}

/** What runs on this home and is ready; undefined where nothing does, or its supervisor is dead. */
export function findRunning(home: Home): RunFile | undefined {
  const holder = readLockHolder(home.lockFile);
  if (!holder || !isRunning(holder) || !existsSync(home.runFile)) return undefined;
  return JSON.parse(readFileSync(home.runFile, 'utf8')) as RunFile;
}
