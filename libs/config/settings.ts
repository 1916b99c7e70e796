/** Every setting of every process, from the environment, checked once at boot with a message a tired person understands. */
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { IMAGE_BYTES_MAX } from '../images/limits.js';
import { toMs, type Duration } from '../saga/duration.js';
import { parseAddress, parseMailbox } from '../emails/address.js';
import { isNetwork } from '../webhooks/address.js';

const port = z.coerce.number().int().min(0).max(65535);

/** Words separated by commas. */
const list = (otherwise: string) =>
  z
    .string()
    .default(otherwise)
    .transform((text) => text.split(',').flatMap((word) => word.trim() || []));
/** A fanout's history must hold a wait for each. */
const WEBHOOK_RETRIES_MAX = 50;
const RETRY = /^[1-9]\d{0,6}(ms|s|m|h)$/;
const EMAIL_RETRIES_MAX = 50;
const EMAIL_RETRIES = '1m,5m,15m,30m,1h,2h,4h,8h,12h';
const WEBHOOK_RETRIES = '5s,5m,30m,2h,5h,10h,14h,20h,24h';

const Variables = z.object({
  DATABASE_URL: z.url(),
  /** Separate logins for the roles; without them each process does SET ROLE on DATABASE_URL. */
  LONGHAUL_APP_DATABASE_URL: z.url().optional(),
  LONGHAUL_WORKER_DATABASE_URL: z.url().optional(),
  LONGHAUL_RELAY_DATABASE_URL: z.url().optional(),
  DATABASE_POOL_MAX: z.coerce.number().int().min(1).default(10),
  TEMPORAL_ADDRESS: z.string().min(1),
  TEMPORAL_NAMESPACE: z.string().min(1).default('default'),
  TEMPORAL_UI_URL: z.url().optional(),
  /** Of workers: their version, as Temporal's worker deployments know it. Without both they are unversioned. */
  TEMPORAL_DEPLOYMENT_NAME: z
    .string()
    .regex(/^[^.:\s]{1,200}$/, 'must be a name without dots, colons and spaces')
    .optional(),
  TEMPORAL_WORKER_BUILD_ID: z
    .string()
    .regex(/^[^:\s]{1,200}$/, 'must be a version without colons and spaces, e.g. 1.4.2')
    .optional(),
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
  /** Set, artifacts are kept in this bucket instead of the folder. */
  S3_BUCKET: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be a bucket’s name')
    .optional(),
  S3_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  /** Where clients reach it, if elsewhere; signed URLs begin with it. */
  S3_PUBLIC_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  S3_REGION: z.string().min(1).optional(),
  AWS_REGION: z.string().min(1).optional(),
  S3_ACCESS_KEY_ID: z.string().min(1).optional(),
  S3_SECRET_ACCESS_KEY: z.string().min(1).optional(),
  S3_FORCE_PATH_STYLE: z.enum(['true', 'false']).optional(),
  /** Folder within the bucket, for buckets that are shared. */
  S3_PREFIX: z
    .string()
    .regex(/^([A-Za-z0-9_.-]+\/)*[A-Za-z0-9_.-]*$/, 'must be names separated by slashes, e.g. longhaul/')
    .default(''),
  /** The datasets' file; without it no dataset is known. */
  LONGHAUL_DATASETS: z.string().optional(),
  /** The payment provider that payouts go through; without it they park. */
  PAYMENT_PROVIDER_URL: z.url({ protocol: /^https?$/ }).optional(),
  PAYMENT_PROVIDER_KEY: z.string().min(1).optional(),
  /** A batch of payouts of more than this, in minor units, waits for a person's approval. */
  PAYOUT_APPROVAL_OVER_MINOR: z.coerce.number().int().nonnegative().default(1000000),
  /** Networks that webhooks may go to beside the public internet, on any port, over http too. */
  LONGHAUL_WEBHOOK_ALLOWED_NETWORKS: list('').pipe(
    z.array(z.string().refine(isNetwork, 'must be networks, e.g. 127.0.0.0/8,::1/128')),
  ),
  /** The waits between the attempts of a delivery. */
  LONGHAUL_WEBHOOK_RETRIES: list(WEBHOOK_RETRIES).pipe(
    z.array(z.string().regex(RETRY, 'must be times, e.g. 5s,5m')).max(WEBHOOK_RETRIES_MAX),
  ),
  /** The server that e-mail goes to, `smtp://user:password@host:587` or `smtps://…`; without it there is none. */
  LONGHAUL_SMTP_URL: z.url({ protocol: /^smtps?$/ }).optional(),
  /** Who e-mail is from, e.g. `Example <no-reply@example.com>`. */
  LONGHAUL_EMAIL_FROM: z
    .string()
    .refine(
      (text) => parseMailbox(text) !== undefined,
      'must be an address, e.g. Example <no-reply@example.com>',
    )
    .optional(),
  /** Domains, beside that one’s, that jobs may name senders of. */
  LONGHAUL_EMAIL_FROM_DOMAINS: list('').pipe(
    z.array(
      z
        .string()
        .refine((domain) => parseAddress(`a@${domain}`).ok, 'must be domains, e.g. example.com,example.org'),
    ),
  ),
  /** Messages a second: of all workers together, and of each tenant. */
  LONGHAUL_EMAIL_RATE: z.coerce.number().positive().max(10_000).default(50),
  LONGHAUL_EMAIL_TENANT_RATE: z.coerce.number().positive().max(10_000).optional(),
  /** Connections of each worker process to the SMTP server. */
  LONGHAUL_EMAIL_CONNECTIONS: z.coerce.number().int().min(1).max(100).default(5),
  /** The waits between the attempts of a message. */
  LONGHAUL_EMAIL_RETRIES: list(EMAIL_RETRIES).pipe(
    z.array(z.string().regex(RETRY, 'must be times, e.g. 1m,5m')).max(EMAIL_RETRIES_MAX),
  ),
  /** Bytes an upload may have. */
  LONGHAUL_UPLOAD_BYTES_MAX: z.coerce.number().int().min(1_024).max(IMAGE_BYTES_MAX).default(52428800),
  /** How long an upload is kept. */
  LONGHAUL_UPLOAD_TTL: z
    .string()
    .regex(/^[1-9]\d{0,6}(ms|s|m|h)$/, 'must be a time, e.g. 24h')
    .default('24h'),
  /** Bytes that a tenant's uploads may have together. */
  LONGHAUL_UPLOAD_TENANT_BYTES_MAX: z.coerce.number().int().min(1_024).default(10737418240),
  /** Lets a Temporal Web UI that can send no key decode histories at /codec/ui/<token>; off without it. */
  LONGHAUL_CODEC_UI_TOKEN: z
    .string()
    .regex(/^[A-Za-z0-9_-]{32,100}$/)
    .optional(),
  /** Workflow tasks that one worker process takes at a time; without it one for each core, at least two. */
  LONGHAUL_WORKFLOW_CONCURRENCY: z.coerce.number().int().min(2).max(500).optional(),
  /** Activities of each pool that one worker process runs at a time. */
  LONGHAUL_CPU_CONCURRENCY: z.coerce.number().int().min(1).max(100).default(1),
  LONGHAUL_IO_CONCURRENCY: z.coerce.number().int().min(1).max(1_000).default(8),
  LONGHAUL_KEEPER_CONCURRENCY: z.coerce.number().int().min(1).max(1_000).default(8),
  /** Rows of a part of an export, which a killed worker repeats. */
  LONGHAUL_EXPORT_PART_ROWS: z.coerce.number().int().min(1_000).max(100_000_000).default(500000),
  /** Lines of a document: thirty make a page, and each costs 0.2 MB while it is laid out. */
  LONGHAUL_DOCUMENT_ROWS_MAX: z.coerce.number().int().min(1).max(20_000).default(5000),
  /** A folder of fonts (.ttf, .otf) for letters that the built-in ones lack. */
  LONGHAUL_DOCUMENT_FONTS: z.string().min(1).optional(),
  /** After SIGTERM a worker's running activities may go on this long before they are told to end. */
  LONGHAUL_WORKER_GRACE_MS: z.coerce.number().int().min(0).max(600_000).default(10000),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

const Environment = Variables.superRefine((e, check) => {
  const needs = (name: keyof typeof e, needed: keyof typeof e): void => {
    if (e[name] === undefined || e[needed] !== undefined) return;
    check.addIssue({
      code: 'custom',
      path: [needed],
      message: `is missing: ${name} is of no use without it`,
    });
  };
  needs('S3_ENDPOINT', 'S3_BUCKET');
  needs('S3_PUBLIC_ENDPOINT', 'S3_BUCKET');
  needs('S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY');
  needs('S3_SECRET_ACCESS_KEY', 'S3_ACCESS_KEY_ID');
  needs('TEMPORAL_DEPLOYMENT_NAME', 'TEMPORAL_WORKER_BUILD_ID');
  needs('TEMPORAL_WORKER_BUILD_ID', 'TEMPORAL_DEPLOYMENT_NAME');
  needs('PAYMENT_PROVIDER_URL', 'PAYMENT_PROVIDER_KEY');
  needs('PAYMENT_PROVIDER_KEY', 'PAYMENT_PROVIDER_URL');
  needs('LONGHAUL_SMTP_URL', 'LONGHAUL_EMAIL_FROM');
});

/** Where the artifact store's bucket is, and how to get in. */
export interface S3Settings {
  readonly bucket: string;
  /** Without one, AWS's own for the region. */
  readonly endpoint: string | undefined;
  readonly publicEndpoint: string | undefined;
  readonly region: string;
  /** Without them, the SDK's usual chain: environment, profile, container, instance. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
  readonly forcePathStyle: boolean;
  /** Empty, or with a slash at its end. */
  readonly prefix: string;
}

/** Who pays for us, and how we show who we are. */
export interface PaymentSettings {
  readonly providerUrl: string;
  readonly providerKey: string;
}

/** Through whom e-mail goes, from whom, and how fast. */
export interface EmailSettings {
  /** The workers' alone: the API knows by the sender that there is a server. */
  readonly smtpUrl: string | undefined;
  readonly connections: number;
  /** Undefined: no e-mail is accepted. */
  readonly from: { readonly address: string; readonly name?: string } | undefined;
  /** That a job may name senders of, that of `from` included. */
  readonly fromDomains: readonly string[];
  /** Messages a second; `tenant` undefined: no more than all. */
  readonly rates: { readonly all: number; readonly tenant: number | undefined };
  readonly retryWaitsMs: readonly number[];
}

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
    /** Of workers; without it they are unversioned. */
    readonly version?: { readonly deploymentName: string; readonly buildId: string } | undefined;
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
  /** Set, artifacts are kept there instead of the folder. */
  readonly s3?: S3Settings | undefined;
  readonly datasetsFile: string | undefined;
  readonly payments?: PaymentSettings | undefined;
  readonly payoutApprovalOverMinor: number;
  readonly webhooks: {
    readonly allowedNetworks: readonly string[];
    readonly retryWaitsMs: readonly number[];
  };
  readonly emails: EmailSettings;
  readonly uploads: {
    readonly bytesMax: number;
    readonly ttlMs: number;
    /** Beyond them a tenant begins no other upload. */
    readonly tenantBytesMax: number;
  };
  /** Activities at a time, by pool and worker process. */
  readonly workerGraceMs: number;
  /** Workflow tasks. What a worker has not taken waits in the engine, where concerns and tenants take turns. */
  readonly workflowConcurrency: number;
  readonly concurrency: { readonly cpu: number; readonly io: number; readonly keeper: number };
  readonly exportPartRows: number;
  readonly documents: { readonly rowsMax: number; readonly fontFolder: string | undefined };
  readonly logLevel: string;
  readonly codecUiToken?: string | undefined;
}

const DEFAULT_REGION = 'us-east-1';

function s3Of(e: z.output<typeof Environment>): S3Settings | undefined {
  if (e.S3_BUCKET === undefined) return undefined;
  return {
    bucket: e.S3_BUCKET,
    endpoint: e.S3_ENDPOINT,
    publicEndpoint: e.S3_PUBLIC_ENDPOINT,
    region: e.S3_REGION ?? e.AWS_REGION ?? DEFAULT_REGION,
    credentials:
      e.S3_ACCESS_KEY_ID !== undefined && e.S3_SECRET_ACCESS_KEY !== undefined
        ? { accessKeyId: e.S3_ACCESS_KEY_ID, secretAccessKey: e.S3_SECRET_ACCESS_KEY }
        : undefined,
    // Servers of one's own seldom have a name for each bucket; AWS does.
    forcePathStyle: e.S3_FORCE_PATH_STYLE ? e.S3_FORCE_PATH_STYLE === 'true' : e.S3_ENDPOINT !== undefined,
    prefix: e.S3_PREFIX === '' || e.S3_PREFIX.endsWith('/') ? e.S3_PREFIX : `${e.S3_PREFIX}/`,
  };
}

function emailsOf(e: z.output<typeof Environment>): EmailSettings {
  const from = e.LONGHAUL_EMAIL_FROM === undefined ? undefined : parseMailbox(e.LONGHAUL_EMAIL_FROM);
  const domains = [
    ...(from ? [from.address] : []),
    ...e.LONGHAUL_EMAIL_FROM_DOMAINS.map((domain) => `a@${domain}`),
  ];
  return {
    smtpUrl: e.LONGHAUL_SMTP_URL,
    connections: e.LONGHAUL_EMAIL_CONNECTIONS,
    from,
    fromDomains: domains.flatMap((address) => {
      const parsed = parseAddress(address);
      return parsed.ok ? [parsed.domain] : [];
    }),
    rates: { all: e.LONGHAUL_EMAIL_RATE, tenant: e.LONGHAUL_EMAIL_TENANT_RATE },
    retryWaitsMs: e.LONGHAUL_EMAIL_RETRIES.map((wait) => toMs(wait as Duration)),
  };
}

/** How many connections a process with this environment may hold. */
export function readDatabasePoolMax(env: NodeJS.ProcessEnv = process.env): number {
  return Variables.shape.DATABASE_POOL_MAX.parse(env['DATABASE_POOL_MAX']);
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
    temporal: {
      address: e.TEMPORAL_ADDRESS,
      namespace: e.TEMPORAL_NAMESPACE,
      uiUrl: e.TEMPORAL_UI_URL,
      version:
        e.TEMPORAL_DEPLOYMENT_NAME !== undefined && e.TEMPORAL_WORKER_BUILD_ID !== undefined
          ? { deploymentName: e.TEMPORAL_DEPLOYMENT_NAME, buildId: e.TEMPORAL_WORKER_BUILD_ID }
          : undefined,
    },
    port: e.PORT,
    host: e.LONGHAUL_HOST,
    metricsPort: e.METRICS_PORT,
    publicUrl: (e.PUBLIC_URL ?? `http://${e.LONGHAUL_HOST}:${e.PORT}`).replace(/\/$/, ''),
    home,
    masterKey: Buffer.from(e.LONGHAUL_MASTER_KEY, 'base64'),
    env: e.LONGHAUL_ENV,
    s3: s3Of(e),
    artifactsDir: resolve(e.LONGHAUL_ARTIFACTS ?? join(home, 'artifacts')),
    datasetsFile: e.LONGHAUL_DATASETS ? resolve(e.LONGHAUL_DATASETS) : undefined,
    payments:
      e.PAYMENT_PROVIDER_URL !== undefined && e.PAYMENT_PROVIDER_KEY !== undefined
        ? { providerUrl: e.PAYMENT_PROVIDER_URL, providerKey: e.PAYMENT_PROVIDER_KEY }
        : undefined,
    payoutApprovalOverMinor: e.PAYOUT_APPROVAL_OVER_MINOR,
    webhooks: {
      allowedNetworks: e.LONGHAUL_WEBHOOK_ALLOWED_NETWORKS,
      retryWaitsMs: e.LONGHAUL_WEBHOOK_RETRIES.map((wait) => toMs(wait as Duration)),
    },
    emails: emailsOf(e),
    uploads: {
      bytesMax: e.LONGHAUL_UPLOAD_BYTES_MAX,
      ttlMs: toMs(e.LONGHAUL_UPLOAD_TTL as Duration),
      tenantBytesMax: e.LONGHAUL_UPLOAD_TENANT_BYTES_MAX,
    },
    workerGraceMs: e.LONGHAUL_WORKER_GRACE_MS,
    workflowConcurrency: e.LONGHAUL_WORKFLOW_CONCURRENCY ?? Math.max(2, availableParallelism()),
    concurrency: {
      cpu: e.LONGHAUL_CPU_CONCURRENCY,
      io: e.LONGHAUL_IO_CONCURRENCY,
      keeper: e.LONGHAUL_KEEPER_CONCURRENCY,
    },
    exportPartRows: e.LONGHAUL_EXPORT_PART_ROWS,
    documents: {
      rowsMax: e.LONGHAUL_DOCUMENT_ROWS_MAX,
      fontFolder: e.LONGHAUL_DOCUMENT_FONTS === undefined ? undefined : resolve(e.LONGHAUL_DOCUMENT_FONTS),
    },
    logLevel: e.LOG_LEVEL,
    codecUiToken: e.LONGHAUL_CODEC_UI_TOKEN,
  };
}
