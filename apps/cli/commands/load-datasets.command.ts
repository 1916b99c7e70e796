/** `longhaul load-datasets`: fills the embedded stack's demo source; `up` runs it in the background. */
import type { Command } from 'commander';
import { completeEnvironment } from '../../../libs/embedded/process-environment.js';
import { action, CommandError } from '../command.error.js';
import { openTerminal } from '../terminal.js';

export function register(program: Command): void {
  program
    .command('load-datasets', { hidden: true })
    .description(
      'load flights and birdstrikes into the demo source (DATABASE_URL: the cluster owner’s login)',
    )
    .action(action(loadDatasets));
}

async function loadDatasets(): Promise<void> {
  completeEnvironment(process.env);
  const url = process.env.DATABASE_URL;
  if (!url)
    throw new CommandError('Which database server? Set DATABASE_URL to the login that owns the demo source.');
  const { prepareDemoSource, loadDemoSource } = await import('../../../libs/datasets/demo-source.js');
  const { ownerUrl } = await prepareDemoSource(url);
  const terminal = openTerminal();
  await loadDemoSource(ownerUrl, ({ dataset, rows, total }) =>
    terminal.print(`${dataset}: ${rows} of ${total} rows`),
  );
  terminal.print('All datasets are loaded.');
}
