/** `longhaul kinds [KIND]`: what can be submitted. */
import type { Command } from 'commander';
import { connect, type LocationOptions } from '../api-location.js';
import { action } from '../command.error.js';
import { renderKind } from '../kind.view.js';
import { renderTable } from '../jobs-table.view.js';
import { openTerminal, toPlain } from '../terminal.js';
import { withLocation } from './location.options.js';

interface KindsFlags extends LocationOptions {
  readonly json?: true;
}

export function register(program: Command): void {
  withLocation(program.command('kinds'))
    .description(
      'list the kinds of job; with a name, show one: its steps, what happens when they fail, its input and diagram',
    )
    .argument('[kind]', 'e.g. report.export')
    .option('--json', 'print as JSON')
    .action(action(kinds));
}

async function kinds(name: string | undefined, flags: KindsFlags): Promise<void> {
  const client = await connect(flags);
  const terminal = openTerminal();
  if (name !== undefined) {
    const kind = await client.kind(name);
    const lines = flags.json ? [JSON.stringify(kind)] : renderKind(kind, terminal.paint);
    return lines.forEach((line) => terminal.print(line));
  }
  const found = await client.kinds();
  if (flags.json) return found.forEach((kind) => terminal.print(JSON.stringify(kind)));
  renderTable(found.map((kind) => [terminal.paint('bold', kind.kind), toPlain(kind.summary ?? '')])).forEach(
    (line) => terminal.print(line),
  );
}
