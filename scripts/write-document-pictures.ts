/**
 * npm run docs:pictures: the pictures of docs/kinds/document.md, of the rows of the stack that runs (`npm start`), laid out
 * by this build and drawn by `pdftoppm` (Debian's poppler-utils). Run it again when the layout has changed.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { loadDatasets } from '../libs/datasets/datasets.js';
import { demoSourceOf } from '../libs/datasets/demo-source.js';
import { openSources } from '../libs/datasets/sources.js';
import { writeLetter } from '../libs/documents/document.js';
import { readDocumentRows } from '../libs/documents/document-rows.js';
import { loadDocumentTemplates } from '../libs/documents/document-templates.js';
import { openLayout } from '../libs/documents/layout.js';
import { packageRoot } from '../libs/embedded/cache-folder.js';
import { locateHome } from '../libs/embedded/home.js';
import { findRunning } from '../libs/embedded/run-file.js';

const DOTS_PER_INCH = '80';
const ROWS_MAX = 10_000;
const PICTURES = [
  { name: 'invoice', template: 'invoice', object: 'INV-2026-0037' },
  { name: 'statement', template: 'airport-statement', object: 'ABQ-2001-02' },
];

const run = findRunning(locateHome());
if (!run) throw new Error('Nothing runs here: start the stack first, with npm start.');
const file = join(packageRoot(), 'deploy', 'datasets.json');
const datasets = loadDatasets(file);
const templates = loadDocumentTemplates(file, datasets);
const sources = openSources(datasets, {
  LONGHAUL_SOURCE_DEMO_URL: demoSourceOf(run.databaseUrl).readerUrl,
});
const layout = openLayout();
const { signal } = new AbortController();
// Any will do: the demo's rows are everybody's.
const tenant = { id: '00000000-0000-7000-8000-000000000001', name: 'demo' };
try {
  for (const { name, template: wanted, object } of PICTURES) {
    const template = templates.find(wanted, tenant);
    if (!template) throw new Error(`${file} has no document "${wanted}"`);
    const source = sources.of(template.head.source);
    const rows = await readDocumentRows(
      source,
      template,
      { object, version: 1 },
      { tenant, rowsMax: ROWS_MAX, signal },
    );
    const { pdf } = await layout.layOut(writeLetter(template, rows), signal);
    const folder = join(packageRoot(), 'docs', 'pictures');
    mkdirSync(folder, { recursive: true });
    execFileSync('pdftoppm', ['-r', DOTS_PER_INCH, '-png', '-singlefile', '-', join(folder, name)], {
      input: pdf,
    });
  }
} finally {
  await layout.close();
  await sources.close();
}
