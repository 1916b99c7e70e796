/** The worker processes of the bench `engine`, and the workflow code they run. */
import { fork } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { isReadyMessage } from '../../libs/telemetry/ready.js';
import { bundleOptions } from '../../libs/temporal/bundle-options.js';
import { failureConverterPath } from '../../libs/temporal/data-converter.js';
import type { HostName } from './contenders.js';

export interface Host {
  readonly pid: number;
  stop(): Promise<void>;
}

const PROGRAM = fileURLToPath(new URL('./worker.main.js', import.meta.url));
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 10_000;

/** Bundles a contender's workflows as scripts/build-workflow-bundle.ts does; answers the file. */
async function bundleWorkflows(name: HostName, folder: string): Promise<string> {
  const workflowsPath = fileURLToPath(new URL(`./${name}.workflows.js`, import.meta.url));
  const logger = new DefaultLogger('WARN');
  const options = name === 'saga' ? bundleOptions(workflowsPath) : { workflowsPath, failureConverterPath };
  const { code } = await bundleWorkflowCode({ ...options, logger });
  const file = join(folder, `${name}.bundle.js`);
  await writeFile(file, code);
  return file;
}

/** Starts a worker process and waits until it polls. */
export async function startHost(
  name: HostName,
  {
    scratch,
    signal,
    tenantId,
    env,
  }: {
    readonly scratch: string;
    readonly signal: AbortSignal;
    readonly tenantId: string;
    readonly env: NodeJS.ProcessEnv;
  },
): Promise<Host> {
  const bundle = await bundleWorkflows(name, scratch);
  const child = fork(PROGRAM, [name, bundle, tenantId], {
    env,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(timer);
  };
  try {
    const waiting = AbortSignal.any([signal, AbortSignal.timeout(START_TIMEOUT_MS)]);
    const died = exited.then(([code]) => {
      throw new Error(`The worker "${name}" ended with ${String(code)} before it was ready`);
    });
    const [message] = (await Promise.race([once(child, 'message', { signal: waiting }), died])) as unknown[];
    if (!isReadyMessage(message)) throw new Error(`The worker "${name}" said something else than ready`);
  } catch (error) {
    await stop();
    throw error;
  }
  signal.addEventListener('abort', () => void stop(), { once: true });
  return { pid: child.pid ?? 0, stop };
}
