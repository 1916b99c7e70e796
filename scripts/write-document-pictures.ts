/**
 * npm run docs:pictures: the pictures of docs/kinds/document.md, made by the stack that runs (`npm start`) and drawn by
 * `pdftoppm` (Debian's poppler-utils). Run it again when the layout has changed.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '../libs/client/client.js';
import { packageRoot } from '../libs/embedded/cache-folder.js';
import { locateHome } from '../libs/embedded/home.js';
import { findRunning } from '../libs/embedded/run-file.js';

const DOTS_PER_INCH = '80';
const PICTURES = [
  { name: 'invoice', template: 'invoice', object: 'INV-2026-0041', pages: '1' },
  { name: 'statement', template: 'airport-statement', object: 'ABQ-2001-02', pages: '1' },
];

const run = findRunning(locateHome());
if (!run) throw new Error('Nothing runs here: start the stack first, with npm start.');
const client = createClient({ url: run.api, key: run.keys.client });
const folder = await mkdtemp(join(tmpdir(), 'longhaul-pictures-'));
try {
  for (const { name, template, object, pages } of PICTURES) {
    const { job } = await client.submit('document.pdf', { template, object, version: 1 });
    const { status, error } = await client.wait(job.id);
    if (status !== 'SUCCEEDED') throw new Error(`${template} ${object}: ${status}, ${error?.detail}`);
    const file = join(folder, `${name}.pdf`);
    await client.download(job.id, { to: file });
    const picture = join(packageRoot(), 'docs', 'pictures', name);
    execFileSync('pdftoppm', ['-r', DOTS_PER_INCH, '-png', '-l', pages, '-singlefile', file, picture]);
    process.stdout.write(`${picture}.png\n`);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
