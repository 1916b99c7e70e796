/** `longhaul relay`: carries accepted jobs from the outbox to Temporal, as a process of its own. */
import type { Command } from 'commander';
import { runProcess } from '../process.action.js';

export function register(program: Command): void {
  program
    .command('relay')
    .description('run the relay (settings from the environment, else of the stack that runs here)')
    .action(() => runProcess(async () => (await import('../../relay/main.js')).run()));
}
