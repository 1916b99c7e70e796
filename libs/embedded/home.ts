/** The layout of `$LONGHAUL_HOME`. */
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

export interface Home {
  readonly root: string;
  readonly logs: string;
  readonly artifacts: string;
  readonly postgres: string;
  readonly temporalDb: string;
  readonly runFile: string;
  readonly lockFile: string;
  readonly processesFile: string;
  readonly portsFile: string;
  /** The sandbox provider's database. */
  readonly providerFile: string;
  readonly keysFile: string;
  readonly masterKeyFile: string;
  readonly databasePasswordFile: string;
}

const DEFAULT_HOME = '.longhaul';

/** The home of this environment, `.longhaul` in the working directory by default; nothing is made. */
export function locateHome(env: NodeJS.ProcessEnv = process.env): Home {
  const root = resolve(env.LONGHAUL_HOME || DEFAULT_HOME);
  return {
    root,
    logs: join(root, 'logs'),
    artifacts: env.LONGHAUL_ARTIFACTS ? resolve(env.LONGHAUL_ARTIFACTS) : join(root, 'artifacts'),
    postgres: join(root, 'postgres'),
    temporalDb: join(root, 'temporal', 'temporal.db'),
    runFile: join(root, 'run.json'),
    lockFile: join(root, 'up.lock'),
    processesFile: join(root, 'processes.json'),
    portsFile: join(root, 'ports.json'),
    providerFile: join(root, 'sandbox-provider', 'provider.db'),
    keysFile: join(root, 'keys.json'),
    masterKeyFile: join(root, 'master.key'),
    databasePasswordFile: join(root, 'database.password'),
  };
}

/**
 * Makes the home's folders. What a person need not see is 0700. The root of a home that we make as root can be
 * passed through (0711), because PostgreSQL, which refuses to be root, has its folder in it.
 */
export function makeHome(home: Home): void {
  if (!existsSync(home.root)) {
    mkdirSync(home.root, { recursive: true });
    chmodSync(home.root, process.getuid?.() === 0 ? 0o711 : 0o700);
  }
  for (const folder of [home.logs, home.artifacts, join(home.root, 'temporal')]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }
}
