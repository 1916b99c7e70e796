/** The embedded Temporal development server, kept on disk. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Home } from './home.js';
import type { ProcessSpec } from './supervisor.js';

const run = promisify(execFile);

export interface TemporalPlace {
  readonly cli: string;
  readonly port: number;
  readonly uiPort: number;
  /** Where the Web UI has payloads decrypted: the API's codec routes. */
  readonly codecUrl: string;
}

export const TEMPORAL_HOST = '127.0.0.1';
export const NAMESPACE = 'default';
/**
 * Longer than the longest job and than the oldest outbox row that may be delivered again: a job id that ended must
 * still be known, or the relay would start it a second time.
 */
export const RETENTION_DAYS = 30;
const START_TIMEOUT_MS = 60_000;
const CLI_TIMEOUT_MS = 5_000;

const SEARCH_ATTRIBUTES = ['Tenant=Keyword', 'Kind=Keyword'] as const;
/** journal_mode=wal with synchronous=normal survives SIGKILL; a power cut may cost the last moments (the reconciler mends). */
const SQLITE_PRAGMAS = ['journal_mode=wal', 'synchronous=normal'] as const;
const DYNAMIC_CONFIG = [
  // Without it no timer and no retry is quicker than a second.
  'history.timerProcessorMaxTimeShift="10ms"',
  // One partition: fairness between tenants is exact.
  'matching.enableFairness=true',
  'matching.numTaskqueueReadPartitions=1',
  'matching.numTaskqueueWritePartitions=1',
  'frontend.WorkflowPauseEnabled=true',
] as const;

/** How to run it; ready when its frontend has taken the namespace's retention. */
export function temporalSpec(place: TemporalPlace, home: Home): ProcessSpec {
  const { cli, port, uiPort, codecUrl } = place;
  return {
    name: 'temporal',
    tier: 'server',
    command: cli,
    args: [
      ...['server', 'start-dev', '--ip', TEMPORAL_HOST, '--port', String(port), '--ui-port', String(uiPort)],
      ...['--db-filename', home.temporalDb, '--ui-codec-endpoint', codecUrl, '--ui-disable-news-fetch'],
      ...['--log-level', 'warn', '--log-format', 'json'],
      ...SQLITE_PRAGMAS.flatMap((pragma) => ['--sqlite-pragma', pragma]),
      ...SEARCH_ATTRIBUTES.flatMap((attribute) => ['--search-attribute', attribute]),
      ...DYNAMIC_CONFIG.flatMap((value) => ['--dynamic-config-value', value]),
    ],
    env: { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: process.env.TMPDIR, TZ: process.env.TZ },
    cwd: home.root,
    logFile: join(home.logs, 'temporal.log'),
    stopSignal: 'SIGTERM',
    killSignal: 'SIGKILL',
    startTimeoutMs: START_TIMEOUT_MS,
    probe: () => setRetention(cli, `${TEMPORAL_HOST}:${port}`),
  };
}

async function setRetention(cli: string, address: string): Promise<void> {
  const namespace = ['--namespace', NAMESPACE, '--address', address, '--retention', `${RETENTION_DAYS}d`];
  await run(cli, ['operator', 'namespace', 'update', ...namespace], { timeout: CLI_TIMEOUT_MS });
}
