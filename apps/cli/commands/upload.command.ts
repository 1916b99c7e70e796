/** `longhaul upload`: sends files, and says what they are called from now on. */
import { access, constants } from 'node:fs/promises';
import type { Command } from 'commander';
import { connect, type LocationOptions } from '../api-location.js';
import { action, CommandError } from '../command.error.js';
import { formatBytes } from '../figures.view.js';
import { openTerminal, toPlain } from '../terminal.js';
import { withLocation } from './location.options.js';

interface Flags extends LocationOptions {
  readonly json?: true;
}

export function register(program: Command): void {
  withLocation(program.command('upload <files...>'))
    .description('send images (JPEG, PNG, WebP, GIF, AVIF) for jobs to work on; prints an id for each')
    .option('--json', 'print JSON')
    .action(action(upload));
}

async function upload(files: readonly string[], flags: Flags): Promise<void> {
  const client = await connect(flags);
  const terminal = openTerminal();
  for (const file of files) {
    await access(file, constants.R_OK).catch(() => {
      throw new CommandError(`${toPlain(file)} cannot be read.`);
    });
    const sent = await client.uploads.create(file).catch((error: unknown) => {
      // Of several files it must be told which.
      process.stderr.write(`${toPlain(file)}:\n`);
      throw error;
    });
    const { id, contentType, width, height, bytes } = sent;
    if (flags.json) terminal.print(JSON.stringify(sent));
    else terminal.print(`${id}  ${contentType} ${width}×${height}, ${formatBytes(bytes)}  ${toPlain(file)}`);
  }
}
