/** `longhaul renditions`: what a job made of its sources, and the files themselves. */
import { mkdir } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import type { Command } from 'commander';
import type { RenditionFile, RenditionSource } from '../../../libs/client/image.types.js';
import { connect, type LocationOptions } from '../api-location.js';
import { action } from '../command.error.js';
import { formatBytes } from '../figures.view.js';
import { openTerminal, toPlain } from '../terminal.js';
import { withLocation } from './location.options.js';

interface Flags extends LocationOptions {
  readonly to?: string;
  readonly json?: true;
}

export function register(program: Command): void {
  withLocation(program.command('renditions <job>'))
    .description('list what image.renditions made of each source')
    .option('--to <folder>', 'download every file, verified, to this folder')
    .option('--json', 'print JSON')
    .action(action(renditions));
}

async function renditions(jobId: string, { to, json, ...location }: Flags): Promise<void> {
  const client = await connect(location);
  const { print, paint } = openTerminal();
  if (to !== undefined) await mkdir(to, { recursive: true });
  for await (const source of client.renditions.list(jobId)) {
    if (json) print(JSON.stringify(source));
    else print(headingOf(source, (text) => paint(source.status === 'refused' ? 'red' : 'bold', text)));
    for (const file of source.files) {
      if (!json) print(`  ${lineOf(file)}`);
      if (to === undefined) continue;
      const { upload } = source;
      await client.renditions.download(
        { jobId, upload, name: file.name },
        { to: join(to, fileNameOf(upload, file)) },
      );
    }
  }
}

function headingOf(
  { upload, status, reason, detail, width, height }: RenditionSource,
  paint: (text: string) => string,
): string {
  const size = width === null || height === null ? '' : `, ${width}×${height}`;
  const why = reason === null ? '' : `: ${toPlain(detail ?? reason)}`;
  return `${upload}  ${paint(status)}${size}${why}`;
}

function lineOf({ name, format, width, height, bytes }: RenditionFile): string {
  return `${toPlain(name)}  ${toPlain(format)} ${width}×${height}, ${formatBytes(bytes)}`;
}

/** Of what a server answers no more than a name becomes part of a path. */
function fileNameOf(upload: string, { name, contentType }: RenditionFile): string {
  const extension = contentType === 'image/jpeg' ? '.jpg' : `.${basename(contentType)}`;
  return `${basename(upload)}-${basename(name, extname(name))}${extension}`;
}
