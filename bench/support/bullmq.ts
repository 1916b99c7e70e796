/** Redis that flushes every write, and the handler in front of it, where Redis is installed. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createServer, connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export interface BullHandler {
  /** Of its `POST /jobs`. */
  readonly url: string;
  readonly pids: { readonly handler: number; readonly redis: number };
  stop(): Promise<void>;
}

const HANDLER = fileURLToPath(new URL('../bullmq.main.js', import.meta.url));
const START_TIMEOUT_MS = 15_000;
const POLL_MS = 50;

export interface Redis {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Undefined where there is no `redis-server` on the PATH. */
export async function startRedis(scratch: string): Promise<Redis | undefined> {
  const port = await freePort();
  const folder = join(scratch, 'redis');
  mkdirSync(folder, { recursive: true });
  const options = ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder, '--save', ''];
  const redis = spawn('redis-server', [...options, '--appendonly', 'yes', '--appendfsync', 'always'], {
    stdio: 'ignore',
  });
  const missing = new Promise<boolean>((resolve) => {
    redis.once('error', () => resolve(true));
    redis.once('spawn', () => resolve(false));
  });
  if ((await missing) || redis.pid === undefined) return undefined;
  try {
    await untilConnectable(port);
    return { port, pid: redis.pid, stop: () => stopChild(redis) };
  } catch (error) {
    await stopChild(redis);
    throw error;
  }
}

/** Starts both; undefined where there is no Redis. */
export async function startBullHandler(scratch: string): Promise<BullHandler | undefined> {
  const redis = await startRedis(scratch);
  if (!redis) return undefined;
  const env = { ...process.env, BENCH_REDIS_PORT: String(redis.port) };
  const handler = spawn(process.execPath, [HANDLER], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const stop = async (): Promise<void> => {
    await stopChild(handler);
    await redis.stop();
  };
  const url = await firstLine(handler).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return { url: `${url}/jobs`, pids: { handler: handler.pid ?? 0, redis: redis.pid }, stop };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function untilConnectable(port: number): Promise<void> {
  for (const giveUpAt = Date.now() + START_TIMEOUT_MS; Date.now() < giveUpAt; await sleep(POLL_MS)) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (open) return;
  }
  throw new Error('redis-server did not start');
}

/** What a child says first. */
export async function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the bench’s child did not start')), START_TIMEOUT_MS);
    child.stdout?.once('data', (chunk: Buffer) => {
      clearTimeout(timer);
      resolve(chunk.toString().trim());
    });
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`the bench’s child ended with ${code}`));
    });
  });
}

/** Ends a child, and waits until it has. */
export async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS);
  await exited;
  clearTimeout(timer);
}
