/** Loads the demo's data in the background, once the stack is ready; what is loaded already takes no time. */
import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import type { Home } from './home.js';
import { openLog, tailOf } from './log-file.js';
import { identify } from './process-identity.js';
import type { ProcessRegistry } from './process-registry.js';
import { commandLineProgram } from './stack.processes.js';

export interface DatasetLoader {
  /** Ends it, if it still runs. */
  stop(): Promise<void>;
}

/** Starts `longhaul load-datasets`; `onEnd` hears of a failure with the log's last lines, or of success. */
export function startDatasetLoader(
  home: Home,
  env: NodeJS.ProcessEnv,
  registry: ProcessRegistry,
  onEnd: (failure: string | undefined) => void,
): DatasetLoader {
  const logFile = join(home.logs, 'load-datasets.log');
  const log = openLog(logFile);
  const child = spawn(process.execPath, [commandLineProgram(), 'load-datasets'], {
    detached: true,
    stdio: ['ignore', log, log],
    env,
  });
  closeSync(log);
  let stopping = false;
  const { pid } = child;
  const identity = pid === undefined ? undefined : identify(pid);
  if (identity) {
    // Jobs come first: the loader takes what processor time is left.
    setPriority(identity.pid, constants.priority.PRIORITY_BELOW_NORMAL);
    registry.add({
      ...identity,
      name: 'load-datasets',
      tier: 'app',
      stopSignal: 'SIGTERM',
      killSignal: 'SIGKILL',
    });
  }
  const ended = new Promise<void>((resolve) => {
    const end = (failure: string | undefined): void => {
      if (pid !== undefined) registry.remove(pid);
      if (!stopping) onEnd(failure);
      resolve();
    };
    child.once('error', (error) => pid === undefined && end(error.message));
    child.once('exit', (code, signal) =>
      end(code === 0 ? undefined : `${signal ?? `exit code ${code}`}\n${tailOf(logFile)}`),
    );
  });
  return {
    async stop() {
      stopping = true;
      // Its tables are filled in one transaction each: nothing is half there.
      child.kill('SIGKILL');
      await ended;
    },
  };
}
