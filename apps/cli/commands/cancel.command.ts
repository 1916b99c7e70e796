/** `longhaul cancel ID`: asks for a job's cancellation, or says what it would undo. */
import type { Command } from 'commander';
import { connect, type LocationOptions } from '../api-location.js';
import { action } from '../command.error.js';
import { renderState } from '../job.view.js';
import { renderPreview } from '../preview.view.js';
import { openTerminal } from '../terminal.js';
import { withLocation } from './location.options.js';

interface CancelFlags extends LocationOptions {
  readonly reason?: string;
  readonly dryRun?: true;
  readonly json?: true;
}

export function register(program: Command): void {
  withLocation(program.command('cancel'))
    .description('ask for the cancellation of a job; completion may still win')
    .argument('<id>', "the job's id")
    .option('--reason <text>', 'why, for the record')
    .option('--dry-run', 'only say what would be undone; exit 1 if it is too late')
    .option('--json', 'print the answer as JSON')
    .action(action(cancel));
}

async function cancel(id: string, flags: CancelFlags): Promise<void> {
  const client = await connect(flags);
  const terminal = openTerminal();
  if (flags.dryRun) {
    const preview = await client.previewCancel(id);
    // As the cancel itself would end.
    if (!preview.possible && preview.reason !== 'already_cancelled') process.exitCode = 1;
    if (flags.json) return terminal.print(JSON.stringify(preview));
    return renderPreview(preview).forEach((line) => terminal.print(line));
  }
  const job = await client.cancel(id, { reason: flags.reason });
  if (flags.json) return terminal.print(JSON.stringify(job));
  terminal.print(job.status === 'CANCELLED' ? 'Cancelled.' : `Asked for; the job is ${renderState(job)}.`);
}
