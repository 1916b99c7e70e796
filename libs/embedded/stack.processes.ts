/** Longhaul's own processes in the embedded stack, each of them `longhaul <command>`. */
import { join } from 'node:path';
import { packageRoot } from './cache-folder.js';
import type { Home } from './home.js';
import type { ProcessSpec } from './supervisor.js';

/** A worker process for each; a list given twice is two processes. Each part worker runs one part at a time. */
export const WORKER_QUEUES: readonly (readonly string[])[] = [
  ['workflows'],
  ['reports-io'],
  ['reports-keeper'],
  ['reports-cpu'],
  ['reports-cpu'],
  ['documents-cpu', 'images-cpu'],
  ['documents-io', 'images-io'],
  ['payments-io'],
  ['webhooks-io'],
  ['emails-io'],
];

/**
 * Events a worker of `webhooks-io` delivers at a time: one whose endpoints are slow waits for them, and costs next to
 * nothing meanwhile.
 */
const WEBHOOK_EVENTS_AT_ONCE = '32';

function withManyEvents(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...env, LONGHAUL_IO_CONCURRENCY: env.LONGHAUL_IO_CONCURRENCY || WEBHOOK_EVENTS_AT_ONCE };
}

/** Its process's name, and its command. */
export const SANDBOX_PROVIDER = 'sandbox-provider';

export const SANDBOX_MAILBOX = 'sandbox-mailbox';

/** Of the servers that stand in for somebody else's; undefined: that one does not run here. */
export interface SandboxPorts {
  readonly provider: number | undefined;
  readonly mailbox: { readonly http: number; readonly smtp: number } | undefined;
}

const START_TIMEOUT_MS = 90_000;

/** The compiled command line, which each of our processes runs. */
export function commandLineProgram(): string {
  return join(packageRoot(), 'dist', 'apps', 'cli', 'main.js');
}

/** api, relay and the workers; the sandboxes, too, where they are given ports. */
export function appSpecs(home: Home, env: NodeJS.ProcessEnv, sandboxes: SandboxPorts): ProcessSpec[] {
  const workers = WORKER_QUEUES.map((queues, index) => {
    const twins = WORKER_QUEUES.filter((other) => other.join() === queues.join()).length;
    const number = WORKER_QUEUES.slice(0, index + 1).filter((other) => other.join() === queues.join()).length;
    const name = `worker ${queues.join(',')}${twins > 1 ? ` ${number}` : ''}`;
    const spec = appSpec(name, ['worker', '--queues', queues.join(',')]);
    return queues.includes('webhooks-io') ? { ...spec, env: withManyEvents(env) } : spec;
  });
  const { provider, mailbox } = sandboxes;
  return [
    appSpec('api', ['api']),
    appSpec('relay', ['relay']),
    ...workers,
    ...(provider === undefined
      ? []
      : [sandbox(SANDBOX_PROVIDER, { port: provider, data: home.providerFile })]),
    ...(mailbox ? [sandbox(SANDBOX_MAILBOX, { port: mailbox.http, 'smtp-port': mailbox.smtp })] : []),
  ];

  function sandbox(name: string, options: Readonly<Record<string, string | number>>): ProcessSpec {
    return appSpec(name, [
      name,
      ...Object.entries(options).flatMap(([option, value]) => [`--${option}`, String(value)]),
    ]);
  }

  function appSpec(name: string, args: readonly string[]): ProcessSpec {
    return {
      name,
      tier: 'app',
      command: process.execPath,
      args: [commandLineProgram(), ...args],
      env,
      logFile: join(home.logs, `${name.replace(/[^a-z0-9]+/g, '-')}.log`),
      stopSignal: 'SIGTERM',
      killSignal: 'SIGKILL',
      startTimeoutMs: START_TIMEOUT_MS,
    };
  }
}
