/** `longhaul api`: the HTTP API as a process of its own. */
import type { Command } from 'commander';
import { completeEnvironment } from '../../../libs/embedded/process-environment.js';

export function register(program: Command): void {
  program
    .command('api')
    .description('run the HTTP API (settings from the environment, else of the stack that runs here)')
    .action(async () => {
      completeEnvironment(process.env);
      const { run } = await import('../../api/main.js');
      await run();
    });
}
