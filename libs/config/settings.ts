/** Every setting of every process, from the environment, checked once at boot with a message a tired person understands. */
import { join, resolve } from 'node:path';
import { z } from 'zod';

const port = z.coerce.number().int().min(0).max(65535);

const Environment = z.object({
  DATABASE_URL: z.url(),
  /** Separate logins for the roles; without them each process does SET ROLE on DATABASE_URL. */
  LONGHAUL_APP_DATABASE_URL: z.url().optional(),
  LONGHAUL_WORKER_DATABASE_URL: z.url().optional(),
  LONGHAUL_RELAY_DATABASE_URL: z.url().optional(),
  DATABASE_POOL_MAX: z.coerce.number().int().min(1).default(10),
  TEMPORAL_ADDRESS: z.string().min(1),
  TEMPORAL_NAMESPACE: z.string().min(1).default('default'),
  TEMPORAL_UI_URL: z.url().optional(),
  PORT: port.default(3000),
  LONGHAUL_HOST: z.string().default('127.0.0.1'),
  METRICS_PORT: port.default(0),
  PUBLIC_URL: z.url().optional(),
  LONGHAUL_HOME: z.string().default('.longhaul'),
  /** 32 bytes, base64. Wraps the tenants' data keys. */
  LONGHAUL_MASTER_KEY: z
    .string()
    .refine(
      (text) => Buffer.from(text, 'base64').length === 32,
      'must be 32 bytes in base64 (openssl rand -base64 32)',
    ),
  LONGHAUL_ENV: z
    .string()
    .regex(/^[a-z]+$/)
    .default('local'),
  /** Folder of the artifact store; default `$LONGHAUL_HOME/artifacts`. */
  LONGHAUL_ARTIFACTS: z.string().optional(),
  /** The datasets' file; without it no dataset is known. */
  LONGHAUL_DATASETS: z.string().optional(),
  /** Lets a Temporal Web UI that can send no key decode histories at /codec/ui/<token>; off without it. */
  LONGHAUL_CODEC_UI_TOKEN: z
    .string()
    .regex(/^[A-Za-z0-9_-]{32,100}$/)
    .optional(),
  /** Activities of each pool that one worker process runs at a time. */
  LONGHAUL_CPU_CONCURRENCY: z.coerce.number().int().min(1).max(100).default(1),
  LONGHAUL_IO_CONCURRENCY: z.coerce.number().int().min(1).max(1_000).default(8),
  LONGHAUL_KEEPER_CONCURRENCY: z.coerce.number().int().min(1).max(1_000).default(8),
  /** After SIGTERM a worker's running activities may go on this long before they are told to end. */
  LONGHAUL_WORKER_GRACE_MS: z.coerce.number().int().min(0).max(600_000).default(10000),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

export interface Settings {
  readonly databaseUrl: {
    readonly owner: string;
    readonly app: string;
    readonly worker: string;
    readonly relay: string;
  };
  readonly databasePoolMax: number;
  readonly temporal: {
    readonly address: string;
    readonly namespace: string;
    readonly uiUrl: string | undefined;
  };
  readonly port: number;
  readonly host: string;
  readonly metricsPort: number;
  /** Absolute base of every URL we hand out, without a trailing slash. */
  readonly publicUrl: string;
  readonly home: string;
  readonly masterKey: Buffer;
  readonly env: string;
  readonly artifactsDir: string;
  readonly datasetsFile: string | undefined;
  /** Activities at a time, by pool and worker process. */
  readonly workerGraceMs: number;
  readonly concurrency: { readonly cpu: number; readonly io: number; readonly keeper: number };
  readonly logLevel: string;
  readonly codecUiToken?: string | undefined;
}

/** Reads the settings; throws one Error that names every variable that is missing or wrong. */
export function readSettings(env: NodeJS.ProcessEnv = process.env): Settings {
  const parsed = Environment.safeParse(env);
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
    throw new Error(`The environment is not complete:\n${lines.join('\n')}\nSee docs/configuration.md.`);
  }
  const e = parsed.data;
  const home = resolve(e.LONGHAUL_HOME);
  return {
    databaseUrl: {
      owner: e.DATABASE_URL,
      app: e.LONGHAUL_APP_DATABASE_URL ?? e.DATABASE_URL,
      worker: e.LONGHAUL_WORKER_DATABASE_URL ?? e.DATABASE_URL,
      relay: e.LONGHAUL_RELAY_DATABASE_URL ?? e.DATABASE_URL,
    },
    databasePoolMax: e.DATABASE_POOL_MAX,
    temporal: { address: e.TEMPORAL_ADDRESS, namespace: e.TEMPORAL_NAMESPACE, uiUrl: e.TEMPORAL_UI_URL },
    port: e.PORT,
    host: e.LONGHAUL_HOST,
    metricsPort: e.METRICS_PORT,
    publicUrl: (e.PUBLIC_URL ?? `http://${e.LONGHAUL_HOST}:${e.PORT}`).replace(/\/$/, ''),
    home,
    masterKey: Buffer.from(e.LONGHAUL_MASTER_KEY, 'base64'),
    env: e.LONGHAUL_ENV,
    artifactsDir: resolve(e.LONGHAUL_ARTIFACTS ?? join(home, 'artifacts')),
    datasetsFile: e.LONGHAUL_DATASETS ? resolve(e.LONGHAUL_DATASETS) : undefined,
    workerGraceMs: e.LONGHAUL_WORKER_GRACE_MS,
    concurrency: {
      cpu: e.LONGHAUL_CPU_CONCURRENCY,
      io: e.LONGHAUL_IO_CONCURRENCY,
      keeper: e.LONGHAUL_KEEPER_CONCURRENCY,
    },
    logLevel: e.LOG_LEVEL,
    codecUiToken: e.LONGHAUL_CODEC_UI_TOKEN,
  };
}
