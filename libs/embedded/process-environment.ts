/** The environment of the stack's processes, for the supervisor's children and for those started by hand. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { codecUiTokenOf } from '../security/codec-token.js';
import { demoSourceOf } from '../datasets/demo-source.js';
import { cacheFolder, packageRoot } from './cache-folder.js';
import { locateHome, type Home } from './home.js';
import { readOrCreatePrivateFile } from './private-file.js';
import { findRunning, type RunFile } from './run-file.js';

const MASTER_KEY_BYTES = 32;
/** The sandbox's own default: it guards nothing. */
const SANDBOX_KEY = 'sandbox';
/** Of e-mail that only the sandbox mailbox gets. */
const SANDBOX_FROM = 'Longhaul <no-reply@longhaul.example>';
/** Dynamic: other stacks and programs must not collide on it. */
const ANY_PORT = '0';
/** Everything ends together, so nothing is gained by holding on: an export's holder would wait for nobody. */
const WORKER_GRACE_MS = '1000';

/** The home's master key in base64: the environment's, or the one in the home, made on first use. */
export function masterKeyOf(home: Home, env: NodeJS.ProcessEnv): string {
  if (env.LONGHAUL_MASTER_KEY) return env.LONGHAUL_MASTER_KEY;
  return readOrCreatePrivateFile(home.masterKeyFile, () =>
    randomBytes(MASTER_KEY_BYTES).toString('base64'),
  ).trim();
}

/** The token in the Web UI's codec endpoint, `<api>/codec/ui/<token>`: the UI can send no key. */
export function codecUiToken(home: Home, env: NodeJS.ProcessEnv): string {
  return env.LONGHAUL_CODEC_UI_TOKEN || codecUiTokenOf(Buffer.from(masterKeyOf(home, env), 'base64'));
}

export interface ProcessPlaces {
  readonly databaseUrl: string;
  readonly temporal: string;
  readonly temporalUi: string | null;
  /** The sandbox's URL; null where PAYMENT_PROVIDER_URL was given. */
  readonly paymentProvider: string | null;
  /** The sandbox mailbox's SMTP; null where LONGHAUL_SMTP_URL was given. */
  readonly smtp: string | null;
  readonly api: string;
}

/** Where webhooks of a stack on one machine may go beside the internet, unless the environment says otherwise. */
export const LOOPBACK = '127.0.0.0/8,::1/128';

/** What a process of the stack on `home` gets, on top of `env`. */
export function processEnvironment(
  home: Home,
  places: ProcessPlaces,
  env: NodeJS.ProcessEnv,
): NodeJS.ProcessEnv {
  return {
    ...env,
    DATABASE_URL: places.databaseUrl,
    TEMPORAL_ADDRESS: places.temporal,
    ...(places.temporalUi === null ? {} : { TEMPORAL_UI_URL: places.temporalUi }),
    PORT: new URL(places.api).port || '80',
    METRICS_PORT: ANY_PORT,
    PUBLIC_URL: env.PUBLIC_URL || places.api,
    LONGHAUL_HOME: home.root,
    LONGHAUL_MASTER_KEY: masterKeyOf(home, env),
    LONGHAUL_CODEC_UI_TOKEN: codecUiToken(home, env),
    LONGHAUL_DATASETS: env.LONGHAUL_DATASETS || join(packageRoot(), 'deploy', 'datasets.json'),
    LONGHAUL_SOURCE_DEMO_URL: env.LONGHAUL_SOURCE_DEMO_URL || demoSourceOf(places.databaseUrl).readerUrl,
    ...(places.paymentProvider
      ? {
          PAYMENT_PROVIDER_URL: places.paymentProvider,
          PAYMENT_PROVIDER_KEY: env.PAYMENT_PROVIDER_KEY || SANDBOX_KEY,
        }
      : {}),
    ...(places.smtp
      ? { LONGHAUL_SMTP_URL: places.smtp, LONGHAUL_EMAIL_FROM: env.LONGHAUL_EMAIL_FROM || SANDBOX_FROM }
      : {}),
    LONGHAUL_WEBHOOK_ALLOWED_NETWORKS: env.LONGHAUL_WEBHOOK_ALLOWED_NETWORKS ?? LOOPBACK,
    LONGHAUL_WORKER_GRACE_MS: env.LONGHAUL_WORKER_GRACE_MS || WORKER_GRACE_MS,
    NODE_COMPILE_CACHE: env.NODE_COMPILE_CACHE || join(cacheFolder(home.root), 'compiled'),
  };
}

/**
 * Completes the environment of a process started by hand (`longhaul api`) from the stack that runs on this home.
 * What is set stays; where no stack runs, nothing is added, and `readSettings` names what is missing.
 */
export function completeEnvironment(env: NodeJS.ProcessEnv): void {
  if (env.DATABASE_URL && env.TEMPORAL_ADDRESS) return;
  const home = locateHome(env);
  const run: RunFile | undefined = findRunning(home);
  if (!run) return;
  const found = processEnvironment(home, run, {});
  for (const [name, value] of Object.entries(found)) {
    if (!env[name]) env[name] = value;
  }
}
