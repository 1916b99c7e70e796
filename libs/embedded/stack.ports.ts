/** The ports of the embedded stack, the same as last time where they are still free. */
import { existsSync, readFileSync } from 'node:fs';
import type { Home } from './home.js';
import type { PortClaims } from './port-claims.js';
import { choosePort } from './ports.js';
import { writePrivateFile } from './private-file.js';
import { StackError } from './stack-error.js';

export interface StackPorts {
  /** Where the API listens. */
  readonly host: string;
  readonly api: number;
  readonly postgres: number;
  readonly temporal: number;
  readonly temporalUi: number;
  readonly metrics: number;
  readonly paymentProvider: number;
  /** Where the sandbox mailbox shows its messages, and where it takes them. */
  readonly mailbox: number;
  readonly smtp: number;
}

type ServerPort = 'postgres' | 'temporal' | 'temporalUi' | 'metrics' | 'paymentProvider' | 'mailbox' | 'smtp';

const API_PORT_DEFAULT = 3000;
const LOOPBACK = '127.0.0.1';
const PORT_MAX = 65_535;
const BASE = 'LONGHAUL_EMBEDDED_PORT_BASE';
/** Their order is their distance from LONGHAUL_EMBEDDED_PORT_BASE. */
const SERVERS: readonly { readonly name: ServerPort; readonly purpose: string }[] = [
  { name: 'postgres', purpose: 'PostgreSQL' },
  { name: 'temporal', purpose: 'Temporal' },
  { name: 'temporalUi', purpose: "Temporal's Web UI" },
  { name: 'metrics', purpose: 'the metrics' },
  { name: 'paymentProvider', purpose: 'the sandbox payment provider' },
  { name: 'mailbox', purpose: 'the sandbox mailbox' },
  { name: 'smtp', purpose: 'the sandbox mailbox’s SMTP' },
];

/**
 * `PORT` for the API (3000, or a free one when it was not asked for by name); for the servers
 * `LONGHAUL_EMBEDDED_PORT_BASE` and the ports after it, or those of last time, or free ones. All of them claimed.
 */
export async function choosePorts(
  home: Home,
  env: NodeJS.ProcessEnv,
  claims: PortClaims,
): Promise<StackPorts> {
  const host = env.LONGHAUL_HOST || LOOPBACK;
  const last = readLast(home.portsFile);
  const asked = parsePort(env, 'PORT');
  const base = parsePort(env, BASE);
  const api = await choosePort({
    purpose: 'the API',
    host,
    asked: asked === undefined ? undefined : { port: asked, variable: 'PORT' },
    preferred: [API_PORT_DEFAULT, last.api],
    claims,
  });
  const chosen: Partial<Record<ServerPort, number>> = {};
  for (const [index, { name, purpose }] of SERVERS.entries()) {
    // With DATABASE_URL, TEMPORAL_ADDRESS, PAYMENT_PROVIDER_URL or LONGHAUL_SMTP_URL nobody listens on some of them; which, does not matter here.
    const port = await choosePort({
      purpose,
      host: LOOPBACK,
      asked: base === undefined ? undefined : { port: base + index, variable: BASE },
      preferred: [last[name]],
      claims,
    });
    chosen[name] = port;
  }
  const ports = { host, api, ...(chosen as Record<ServerPort, number>) };
  writePrivateFile(home.portsFile, JSON.stringify(ports));
  return ports;
}

function parsePort(env: NodeJS.ProcessEnv, variable: 'PORT' | typeof BASE): number | undefined {
  const text = env[variable];
  if (!text) return undefined;
  const port = Number(text);
  const max = variable === BASE ? PORT_MAX - SERVERS.length + 1 : PORT_MAX;
  if (!Number.isInteger(port) || port < 1 || port > max) {
    throw new StackError(`${variable} is "${text}"; expected a port, 1 to ${max}.`);
  }
  return port;
}

function readLast(file: string): Partial<StackPorts> {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Partial<StackPorts>) : {};
}
