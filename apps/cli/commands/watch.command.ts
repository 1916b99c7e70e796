/** `longhaul watch ID`: follows a job to its end. */
import type { Command } from 'commander';
import { isTerminal } from '../../../libs/client/job.types.js';
import { connect, type LocationOptions } from '../api-location.js';
import { action } from '../command.error.js';
import { followJob } from '../job-follower.js';
import { renderEnd } from '../job.view.js';
import { openTerminal } from '../terminal.js';
import { withLocation } from './location.options.js';

interface WatchFlags extends LocationOptions {
  readonly json?: true;
}

export function register(program: Command): void {
  withLocation(program.command('watch'))
    .description('follow a job to its end; exit 1 unless it succeeds')
    .argument('<id>', "the job's id")
    .option('--json', 'print each state as a line of JSON')
    .action(action(watch));
}

async function watch(id: string, flags: WatchFlags): Promise<void> {
  const client = await connect(flags);
  if (flags.json) {
    for await (const job of client.watch(id)) {
      process.stdout.write(`${JSON.stringify(job)}\n`);
      if (isTerminal(job) && job.status !== 'SUCCEEDED') process.exitCode = 1;
    }
    return;
  }
  const terminal = openTerminal();
  const { job } = await followJob(client, id, terminal);
  renderEnd(job, terminal.paint).forEach((line) => terminal.print(line));
  if (job.status !== 'SUCCEEDED') process.exitCode = 1;
}
