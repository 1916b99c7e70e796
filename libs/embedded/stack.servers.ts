/** Database and engine of the stack: the embedded ones, or those the environment names. */
import { createHash } from 'node:crypto';
import type { Home } from './home.js';
import { findPostgresBinaries } from './postgres-binaries.js';
import { endLeftoverPostmaster } from './postgres-leftover.js';
import { placePostgres, type PostgresPlace } from './postgres-place.js';
import {
  bootstrapDatabase,
  databasePasswords,
  initialisePostgres,
  ownerUrl,
  postgresSpec,
} from './postgres-server.js';
import type { ProcessRegistry } from './process-registry.js';
import type { StackEvent } from './stack.js';
import type { StackPorts } from './stack.ports.js';
import { supervise, type Supervised } from './supervisor.js';
import { findTemporalCli } from './temporal-binary.js';
import { TEMPORAL_HOST, temporalSpec } from './temporal-server.js';

export interface StackTools {
  readonly home: Home;
  readonly env: NodeJS.ProcessEnv;
  readonly ports: StackPorts;
  readonly registry: ProcessRegistry;
  readonly onEvent: (event: StackEvent) => void;
}

export interface RunningDatabase {
  readonly url: string;
  /** Undefined where DATABASE_URL names it. */
  readonly process?: Supervised;
  readonly place?: PostgresPlace;
}

export interface RunningEngine {
  /** `host:port`. */
  readonly address: string;
  readonly uiUrl: string | null;
  /** Undefined where TEMPORAL_ADDRESS names it. */
  readonly process?: Supervised;
}

/** Brings the database up; `onRunning` hears of the process before it is ready, so that it can be stopped. */
export async function startDatabase(
  tools: StackTools,
  onRunning: (database: RunningDatabase) => void,
): Promise<void> {
  const { home, env, ports, registry, onEvent } = tools;
  if (env.DATABASE_URL) {
    onRunning({ url: env.DATABASE_URL });
    return;
  }
  const passwords = databasePasswords(home);
  const place = await placePostgres(home, findPostgresBinaries(), {
    fingerprint: createHash('sha256').update(passwords.superuser).digest('hex'),
    log: (text) => onEvent({ type: 'note', text }),
  });
  if (place.outside) {
    onEvent({
      type: 'note',
      text: `PostgreSQL's user cannot enter this home; it works in ${place.outside}.`,
    });
  }
  if (await endLeftoverPostmaster(place.data)) {
    onEvent({ type: 'note', text: 'Ended the PostgreSQL that an earlier start had left.' });
  }
  await initialisePostgres(place, passwords, home, registry);
  const process = supervise(postgresSpec(place, ports.postgres, passwords, home), registry, onEvent);
  onRunning({ url: ownerUrl(ports.postgres, passwords), process, place });
  await process.firstReady;
  await bootstrapDatabase(ports.postgres, passwords);
}

/** Brings the engine up; `onRunning` as in {@link startDatabase}. */
export async function startEngine(
  tools: StackTools,
  codecUrl: string,
  onRunning: (engine: RunningEngine) => void,
): Promise<void> {
  const { home, env, ports, registry, onEvent } = tools;
  if (env.TEMPORAL_ADDRESS) {
    onRunning({ address: env.TEMPORAL_ADDRESS, uiUrl: env.TEMPORAL_UI_URL || null });
    return;
  }
  const cli = await findTemporalCli({ env, log: (text) => onEvent({ type: 'note', text }) });
  const place = { cli, port: ports.temporal, uiPort: ports.temporalUi, codecUrl };
  const process = supervise(temporalSpec(place, home), registry, onEvent);
  onRunning({
    address: `${TEMPORAL_HOST}:${ports.temporal}`,
    uiUrl: `http://${TEMPORAL_HOST}:${ports.temporalUi}`,
    process,
  });
  await process.firstReady;
}
