/** `longhaul sandbox-provider --data <file>`: a payment provider to try payouts against, as a process of its own. */
import { InvalidArgumentError, type Command } from 'commander';
import { runProcess } from '../process.action.js';

const PORT_MAX = 65_535;

export function register(program: Command): void {
  program
    .command('sandbox-provider')
    .description('run a payment provider without real money, whose faults can be planned')
    .option('--port <port>', 'where it listens; 0 is any free port', parsePort, 0)
    .option('--host <address>', 'the address it listens on', '127.0.0.1')
    .requiredOption('--data <file>', 'its database, made where it is not there')
    .action((options: { port: number; host: string; data: string }) =>
      runProcess(async () => (await import('../../sandbox-provider/main.js')).run(options)),
    );
}

export function parsePort(value: string): number {
  const port = Number(value);
  if (!Number.isInteger(port) || port < 0 || port > PORT_MAX) {
    throw new InvalidArgumentError(`Expected a port, 0 to ${PORT_MAX}.`);
  }
  return port;
}
