/** `longhaul relay`: carries accepted jobs from the outbox to Temporal, as a process of its own. */
import type { Command } from 'commander';
import { completeEnvironment } from '../../../libs/embedded/process-environment.js';

export function register(program: Command): void {
  program
    .command('relay')
    .description('run the relay (settings from the environment, else of the stack that runs here)')
    .action(async () => {
      completeEnvironment(process.env);
      const { run } = await import('../../relay/main.js');
      await run();
    });
}
