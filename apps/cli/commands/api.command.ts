/** `longhaul api`: the HTTP API as a process of its own. */
import type { Command } from 'commander';
import { runProcess } from '../process.action.js';

export function register(program: Command): void {
  program
    .command('api')
    .description('run the HTTP API (settings from the environment, else of the stack that runs here)')
    .action(() => runProcess(async () => (await import('../../api/main.js')).run()));
}
