/** `longhaul migrate`: brings the schema of DATABASE_URL up to date. */
import type { Command } from 'commander';
import { completeEnvironment } from '../../../libs/embedded/process-environment.js';
import { action, CommandError } from '../command.error.js';
import { openTerminal } from '../terminal.js';

export function register(program: Command): void {
  program
    .command('migrate')
    .description('bring the schema up to date (DATABASE_URL: the owner’s login)')
    .action(action(migrate));
}

async function migrate(): Promise<void> {
  completeEnvironment(process.env);
  const url = process.env.DATABASE_URL;
  if (!url) throw new CommandError('Which database? Set DATABASE_URL to the login that owns the schema.');
  const { migrate: apply } = await import('../../../libs/store/migrate.js');
  const applied = await apply(url);
  const terminal = openTerminal();
  if (applied.length === 0) terminal.print('The schema is up to date.');
  for (const name of applied) terminal.print(`applied ${name}`);
}
