/** Where the API is and which key to use: options, then the environment, then the run.json of this home. */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createClient, type Client } from '../../libs/client/client.js';
import { CommandError } from './command.error.js';

export interface LocationOptions {
  readonly url?: string | undefined;
  readonly key?: string | undefined;
}

/** Whose key run.json is asked for. */
export type KeyRole = 'client' | 'operator';

export interface ApiLocation {
  readonly url: string;
  readonly key: string;
}

/**
 * Options before environment before run.json. The key in run.json goes to the API in run.json only: named another
 * address, a key must be named too.
 */
export async function locateApi(
  options: LocationOptions,
  env: NodeJS.ProcessEnv = process.env,
  role: KeyRole = 'client',
): Promise<ApiLocation> {
  const url = options.url ?? env.LONGHAUL_URL;
  const key =
    options.key ?? (role === 'operator' ? env.LONGHAUL_OPERATOR_KEY : undefined) ?? env.LONGHAUL_KEY;
  if (url !== undefined && key !== undefined) return { url: checkUrl(url), key };
  const home = resolve(env.LONGHAUL_HOME || '.longhaul');
  const run = await readRunFile(home, role);
  if (url !== undefined && url !== run?.url) {
    throw new CommandError('Which key? Give --key or LONGHAUL_KEY with the address; it begins with lh_.');
  }
  if (run) return { url: checkUrl(run.url), key: key ?? run.key };
  throw new CommandError(
    `Nothing runs here (no ${join(home, 'run.json')}). Start it with \`npm start\`, or name an API with --url and --key (LONGHAUL_URL, LONGHAUL_KEY).`,
  );
}

async function readRunFile(home: string, role: KeyRole): Promise<ApiLocation | undefined> {
  let text: string;
  try {
    text = await readFile(join(home, 'run.json'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const run = JSON.parse(text) as { api?: unknown; keys?: Partial<Record<KeyRole, unknown>> };
  const key = run.keys?.[role];
  if (typeof run.api !== 'string' || typeof key !== 'string') {
    throw new CommandError(
      `${join(home, 'run.json')} names no API and ${role} key. Start again with \`npm start\`.`,
    );
  }
  return { url: run.api, key };
}

function checkUrl(url: string): string {
  if (!/^https?:\/\/[^/]/.test(url) || !URL.canParse(url)) {
    throw new CommandError(
      `"${url}" is no address of an API: expected something like http://127.0.0.1:3000.`,
    );
  }
  return url;
}

export async function connect(options: LocationOptions, role: KeyRole = 'client'): Promise<Client> {
  return createClient(await locateApi(options, process.env, role));
}
