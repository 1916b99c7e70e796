/** The whole document over real databases and a real folder: the same file for the same version, nothing left behind. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { documentPdf as implement } from '../../../activities/document/document-pdf.js';
import type { DocumentResources } from '../../../activities/resources.js';
import { parseDatasets } from '../../../libs/datasets/datasets.js';
import { writeLetter } from '../../../libs/documents/document.js';
import { parseDocumentTemplates } from '../../../libs/documents/document-templates.js';
import { findDocument } from '../../../libs/documents/documents.store.js';
import { openLayout } from '../../../libs/documents/layout.js';
import { packageRoot } from '../../../libs/embedded/cache-folder.js';
import { runInMemory, type MemoryRun, type MemoryRunOptions } from '../../../libs/saga/memory.js';
import { inTenant } from '../../../libs/store/database.js';
import { documentPdf as definition } from '../../../workflows/document-pdf.job.js';
import { createExportBench, JOB_ID, TENANT_ID, type ExportBench } from '../../support/exports.js';
import { createRealClock } from '../../support/real-clock.js';
import { openTransaction } from '../../support/tenant-transaction.js';
import { invoiceRows } from '../../libs/documents/rows.js';
import { pagesOf, templateOf, INVOICE } from '../../libs/documents/setup.js';

const ROWS_MAX = 400;
const parameters = { object: { type: 'text' }, version: { type: 'integer' } };
const base = { source: 'SOURCE_URL', tenants: ['acme'], parameters };
const DATASETS = {
  heads: {
    ...base,
    query: 'select * from heads where number = :object and version = :version',
    key: 'number',
    columns: { number: 'text', issued_on: 'date', currency: 'text', customer: 'text' },
    readiness: 'select ready, message from readiness',
  },
  lines: {
    ...base,
    query: 'select * from lines where number = :object and version = :version',
    key: 'line',
    columns: {
      line: 'integer',
      description: 'text',
      quantity: 'numeric',
      unit_price_minor: 'bigint',
      amount_minor: 'bigint',
      tax_percent: 'numeric',
    },
  },
};
const ENTRY = { ...INVOICE, head: 'heads', lines: 'lines', figure: undefined };

let bench: ExportBench;
let resources: DocumentResources;

beforeAll(async () => {
  bench = await createExportBench(DATASETS);
  const datasets = parseDatasets({ datasets: DATASETS });
  resources = {
    ...bench.resources,
    documents: parseDocumentTemplates({ invoice: ENTRY, other: { ...ENTRY, tenants: ['globex'] } }, datasets),
    layout: openLayout(),
    documentRowsMax: ROWS_MAX,
  };
  await bench.source.query(`
    create table readiness (ready boolean, message text);
    insert into readiness values (true, 'Ready.');
    create table heads (number text, version int, issued_on date, currency text, customer text);
    create table lines (number text, version int, line int, description text, quantity numeric,
      unit_price_minor bigint, amount_minor bigint, tax_percent numeric);
    insert into heads select number, version, '2026-03-31', 'EUR', 'Αφοί Παπαδόπουλοι'
      from unnest(array['INV-1', 'INV/2 ü', 'LONG', 'PARTY', 'TWICE', 'TWICE']) number, generate_series(1, 2) version;
    insert into lines select number, version, line, 'Service ' || line, 2, 125, 250, 24
      from unnest(array['INV-1', 'INV/2 ü']) number, generate_series(1, 2) version, generate_series(1, 60) line;
    insert into lines select 'LONG', 1, line, 'x', 1, 1, 1, 0 from generate_series(1, ${ROWS_MAX + 1}) line;
    insert into lines values ('PARTY', 1, 1, 'Party 🎉', 1, 1, 1, 0), ('PARTY', 2, 1, repeat('x', 5000), 1, 1, 1, 0)`);
}, 120_000);
afterAll(async () => {
  await resources.layout.close();
  await bench.close();
});
afterEach(async () => {
  await bench.forgetDocuments();
  await bench.reset();
});

function run(
  object: string,
  version = 1,
  change: Partial<DocumentResources> = {},
  options: Partial<MemoryRunOptions<typeof definition>> = {},
): Promise<MemoryRun> {
  return runInMemory(definition, implement({ ...resources, ...change }), {
    input: { template: 'invoice', object, version },
    clock: createRealClock(),
    openTransaction: () => openTransaction(bench.resources.database, TENANT_ID),
    ...options,
  });
}

interface Result {
  readonly pages: number;
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly filename: string;
}

function resultOf({ end }: MemoryRun): Result {
  expect(end).toMatchObject({ status: 'SUCCEEDED' });
  return (end as { result: Result }).result;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const known = (object: string, version?: number) =>
  inTenant(bench.resources.database, TENANT_ID, async (tx) =>
    findDocument(tx, { template: 'invoice', object, version }),
  );

describe('a document', () => {
  test('is published with its checksum and pages, and found by what it is of', async () => {
    const result = resultOf(await run('INV/2 ü'));
    const file = await bench.read(`${JOB_ID}.0`);
    expect(result).toMatchObject({
      rows: 60,
      pages: 2,
      bytes: file.length,
      sha256: sha256(file),
      filename: 'invoice-INV-2-ü-v1.pdf',
    });
    const text = (await pagesOf(file)).join(' ').replace(/\s+/g, ' ');
    expect(text).toContain('Αφοί Παπαδόπουλοι');
    expect(text).toContain('VAT 24% on €150.00 €36.00 Total €186.00');
    expect(await known('INV/2 ü')).toMatchObject({ version: 1, sha256: result.sha256, jobId: JOB_ID });
    expect(await bench.leftovers('uploads')).toEqual([]);
  });

  test('is the same file when it is made again after it expired', async () => {
    const first = resultOf(await run('INV-1'));
    await bench.reset();
    expect(resultOf(await run('INV-1')).sha256).toBe(first.sha256);
  });

  test('is refused when its rows or its words are others by then; a higher version is another document', async () => {
    const first = resultOf(await run('INV-1'));
    await bench.reset();
    const datasets = parseDatasets({ datasets: DATASETS });
    const reworded = parseDocumentTemplates({ invoice: { ...ENTRY, intro: 'Dear customer,' } }, datasets);
    expect(await refusal('INV-1', 1, { documents: reworded })).toMatch(/^document_changed: .*wording/);

    await bench.source.query(`update lines set amount_minor = 251 where number = 'INV-1' and line = 7`);
    await bench.reset();
    expect(await refusal('INV-1')).toMatch(/^document_changed: .*its rows have changed.*higher version/);
    await bench.reset();
    expect(resultOf(await run('INV-1', 2)).sha256).not.toBe(first.sha256);
    expect(await known('INV-1')).toMatchObject({ version: 2 });
    expect(await known('INV-1', 1)).toMatchObject({ sha256: first.sha256 });
  });
});

describe('what cannot be a document is refused, and leaves nothing', () => {
  test.each([
    ['an object that is not there', 'GHOST', 1, /^object_not_found: .*"GHOST" in version 1/],
    ['a version that is not there', 'INV-1', 9, /^object_not_found/],
    ['an object that is two', 'TWICE', 1, /^object_ambiguous/],
    ['more lines than are allowed', 'LONG', 1, /^too_many_rows: .*400/],
    ['a sign that no font has', 'PARTY', 1, /^letters_missing: .*U\+1F389/],
    ['a text no page holds', 'PARTY', 2, /^text_too_long: .*"description"/],
  ])('%s', async (_, object, version, expected) => {
    expect(await refusal(object, version)).toMatch(expected);
    expect(await bench.leftovers('uploads')).toEqual([]);
    expect(await bench.leftovers('published')).toEqual([]);
    expect(await known(object, version)).toBeUndefined();
  });

  test('a template of another tenant', async () => {
    const end = (
      await runInMemory(definition, implement(resources), {
        input: { template: 'other', object: 'INV-1', version: 1 },
        clock: createRealClock(),
        openTransaction: () => openTransaction(bench.resources.database, TENANT_ID),
      })
    ).end;
    expect(end).toMatchObject({ status: 'FAILED', error: { code: 'template_not_found' } });
  });
});

test('a cancel while it is laid out ends it without a file', async () => {
  const { layout } = resources;
  const cancelling = Promise.withResolvers<void>();
  const { end } = await run(
    'INV-1',
    1,
    {
      layout: {
        ...layout,
        layOut: async (letter, signal) => {
          cancelling.resolve();
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          return layout.layOut(letter, signal);
        },
      },
    },
    {
      onEvent: ({ step, what }, control) => {
        if (step === 'render' && what === 'begin') void cancelling.promise.then(() => control.cancel());
      },
    },
  );
  expect(end).toMatchObject({ status: 'CANCELLED' });
  expect(await bench.leftovers('uploads')).toEqual([]);
  expect(await known('INV-1')).toBeUndefined();
});

test('rows that are still being loaded are waited for', async () => {
  await bench.source.query(`update readiness set ready = false, message = 'Still loading.'`);
  const said: (string | undefined)[] = [];
  const waited = await run(
    'INV-1',
    1,
    {},
    {
      wrapLedger: (ledger) => ({
        ...ledger,
        fail: async (claim, report) => {
          said.push(report.progress?.message);
          await bench.source.query('update readiness set ready = true');
          return ledger.fail(claim, report);
        },
      }),
    },
  );
  expect(resultOf(waited).rows).toBe(60);
  expect(said).toEqual(['Still loading.']);
});

test('the event loop goes on while a long letter is laid out', async () => {
  let turns = 0;
  const counting = setInterval(() => (turns += 1), 1);
  const letter = writeLetter(templateOf(INVOICE), invoiceRows(400));
  turns = 0;
  const { pages } = await resources.layout.layOut(letter, new AbortController().signal);
  clearInterval(counting);
  expect(pages).toBeGreaterThan(10);
  expect(turns).toBeGreaterThan(20);
});

test('another process, of another place and language, makes the same bytes', async () => {
  const letter = writeLetter(templateOf(INVOICE), invoiceRows(40));
  const { pdf } = await resources.layout.layOut(letter, new AbortController().signal);
  const thread = join(packageRoot(), 'dist', 'libs', 'documents', 'layout.thread.js');
  const script = `
    const { default: layOut } = await import(${JSON.stringify(thread)});
    const { view, files } = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
    const bytes = files.map(({ name, base64 }) => ({ name, bytes: Buffer.from(base64, 'base64') }));
    process.stdout.write(Buffer.from(layOut({ view, files: bytes }).pdf));`;
  const files = letter.files.map(({ name, bytes }) => ({
    name,
    base64: Buffer.from(bytes).toString('base64'),
  }));
  const there = execFileSync(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { createRequire } from 'node:module'; const require = createRequire('/');${script}`,
    ],
    {
      input: JSON.stringify({ view: letter.view, files }),
      env: { TZ: 'Asia/Tokyo', LANG: 'ar_EG.UTF-8', HOME: '/nonexistent' },
    },
  );
  expect(sha256(there)).toBe(sha256(pdf));
});

async function refusal(
  object: string,
  version = 1,
  change: Partial<DocumentResources> = {},
): Promise<string> {
  const { end } = await run(object, version, change);
  expect(end).toMatchObject({ status: 'FAILED' });
  const { error } = end as { error: { code: string; detail?: string; message?: string } };
  return `${error.code}: ${error.detail ?? error.message}`;
}
