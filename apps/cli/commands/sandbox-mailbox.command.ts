/** `longhaul sandbox-mailbox`: a mail server that delivers nothing and shows what it got, as a process of its own. */
import type { Command } from 'commander';
import { runProcess } from '../process.action.js';
import { parsePort } from './sandbox-provider.command.js';

export function register(program: Command): void {
  program
    .command('sandbox-mailbox')
    .description(
      'run a mail server that delivers nothing, shows what it got, and whose faults can be planned',
    )
    .option('--port <port>', 'where it shows messages (HTTP); 0 is any free port', parsePort, 0)
    .option('--smtp-port <port>', 'where it takes them (SMTP); 0 is any free port', parsePort, 0)
    .option('--host <address>', 'the address it listens on', '127.0.0.1')
    .action((options: { port: number; smtpPort: number; host: string }) =>
      runProcess(async () => (await import('../../sandbox-mailbox/main.js')).run(options)),
    );
}
