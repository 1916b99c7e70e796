/** The endpoints of a bench: their process, and their registration. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Client } from '../../libs/client/client.js';
import { firstLine, stopChild } from '../support/bullmq.js';
import type { Task } from './deliveries.js';

const REGISTERED_AT_ONCE = 16;

export interface BenchReceivers {
  readonly url: string;
  stop(): Promise<void>;
}

export async function startReceivers(): Promise<BenchReceivers> {
  const program = fileURLToPath(new URL('./receivers.main.js', import.meta.url));
  const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
  return { url: await firstLine(child), stop: () => stopChild(child) };
}

/** Registers so many endpoints, each a path at `url`. */
export async function registerEndpoints(
  client: Client,
  url: string,
  count: number,
): Promise<Task['endpoints']> {
  const endpoints: { url: string; secret: string }[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const wish = { url: `${url}/${next++}`, eventTypes: ['order.*'] };
      const { url: own, secret } = await client.webhooks.create(wish);
      endpoints.push({ url: own, secret });
    }
  };
  await Promise.all(Array.from({ length: REGISTERED_AT_ONCE }, lane));
  return endpoints;
}
