/** Commands on a command line of their own, before an API that answers as a test plans it. */
import { Command } from 'commander';
import { afterEach, beforeEach, vi } from 'vitest';
import { openFaultyApi, type FaultyApi } from '../../libs/client/faulty-api.js';

export interface CommandLine {
  /** Anew for each test. */
  readonly api: FaultyApi;
  /** What was printed, by this test so far. */
  readonly out: string;
  readonly err: string;
  run(...args: readonly string[]): Promise<void>;
}

/** Of these commands, with `env` beside the API's URL and a client's key; undefined is a variable that is not there. */
export function commandLine(
  registers: readonly ((program: Command) => void)[],
  env: Readonly<Record<string, string | undefined>> = {},
): CommandLine {
  const line = { api: undefined as unknown as FaultyApi, out: '', err: '' };
  beforeEach(async () => {
    const api = await openFaultyApi();
    Object.assign(line, { api, out: '', err: '' });
    const variables = { LONGHAUL_URL: api.url, LONGHAUL_KEY: 'client-key', NO_COLOR: '1', ...env };
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((line.out += String(text)), true));
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((line.err += String(text)), true));
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    process.exitCode = undefined;
    await line.api.close();
  });
  return Object.assign(line, {
    async run(...args: readonly string[]) {
      const program = new Command().exitOverride();
      for (const register of registers) register(program);
      await program.parseAsync([...args], { from: 'user' });
    },
  });
}
