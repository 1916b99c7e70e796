/**
 * Reads the rows and lays them out, in one step: between two of them the rows would have to lie somewhere, sealed, and be
 * thrown away again; here they are in this process's memory for as long as the attempt lasts. The file goes straight to
 * the store. Its undo burns the upload.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { UploadAborted } from '../../libs/artifacts/artifact-store.js';
import { writeLetter } from '../../libs/documents/document.js';
import { DocumentRefusal } from '../../libs/documents/document.refusal.js';
import { digestOf, readDocumentRows } from '../../libs/documents/document-rows.js';
import type { DocumentTemplate } from '../../libs/documents/document-templates.js';
import { findDocument } from '../../libs/documents/documents.store.js';
import { Rejected } from '../../libs/saga/failure.js';
import type { UndoOutcome } from '../../libs/saga/implement.js';
import { inTenant } from '../../libs/store/database.js';
import { sourceFailure, storeFailure } from '../report-export/failures.js';
import { refuseUnready } from '../report-export/readiness.js';
import { tenantNameOf } from '../report-export/context.js';
import type { DocumentResources } from '../resources.js';
import { uploadKeyOf, type Context, type Output, type Undo } from './context.js';

const HEARTBEAT_MS = 1_000;
const ONLY_PART = 0;

export async function render(
  resources: DocumentResources,
  context: Context<'render'>,
): Promise<Output<'render'>> {
  const { input, signal, generation: upload } = context;
  const beating = setInterval(() => context.heartbeat(), HEARTBEAT_MS);
  try {
    const tenant = {
      id: context.job.tenantId,
      name: await tenantNameOf(resources, context.job.tenantId),
    };
    const template = templateOf(resources, input.template, tenant);
    const source = resources.sources.of(template.head.source);
    for (const dataset of datasetsOf(template)) await refuseUnready({ dataset, source }, context);
    const options = { tenant, rowsMax: resources.documentRowsMax, signal };
    const rows = await readDocumentRows(source, template, input, options).catch((error: unknown) => {
      throw error instanceof DocumentRefusal ? error : sourceFailure(error);
    });
    context.progress({ total: rows.lines.length, unit: 'rows', message: 'Laying out.' });
    const { pdf, pages } = await resources.layout.layOut(writeLetter(template, rows), signal);
    const made = { sha256: createHash('sha256').update(pdf).digest('hex'), rowsSha256: digestOf(rows) };
    await refuseOther(resources, context, made);
    await store(resources, uploadKeyOf(context, upload), pdf, signal);
    context.progress({ done: rows.lines.length, bytes: pdf.length, unit: 'rows' });
    return { upload, rows: rows.lines.length, pages, bytes: pdf.length, ...made };
  } catch (error) {
    throw error instanceof DocumentRefusal ? new Rejected(error.code, error.message) : error;
  } finally {
    clearInterval(beating);
  }
}

/** The operator may have taken it away since acceptance. */
function templateOf(
  { documents }: DocumentResources,
  name: string,
  tenant: { readonly name: string },
): DocumentTemplate {
  const template = documents.find(name, tenant);
  if (template) return template;
  throw new Rejected('template_not_found', `There is no document "${name}" any more.`);
}

function datasetsOf({ head, lines, figure }: DocumentTemplate) {
  return new Set([head, lines, ...(figure ? [figure] : [])]);
}

/** A version that was made before is that file, or none. */
async function refuseOther(
  { database }: DocumentResources,
  { job, input }: Context<'render'>,
  made: { readonly sha256: string; readonly rowsSha256: string },
): Promise<void> {
  const known = await inTenant(database, job.tenantId, async (tx) => findDocument(tx, input));
  if (!known || known.sha256 === made.sha256) return;
  const why =
    known.rowsSha256 === made.rowsSha256
      ? 'its layout or wording has been changed by the operator'
      : 'its rows have changed';
  throw new Rejected(
    'document_changed',
    `Version ${input.version} was made before, with SHA-256 ${known.sha256}; since then ${why}. Ask for a higher version.`,
  );
}

async function store(
  { artifacts }: DocumentResources,
  key: string,
  pdf: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  try {
    await artifacts.openUpload(key);
    await artifacts.writePart(key, ONLY_PART, Readable.from([Buffer.from(pdf)]), signal);
  } catch (error) {
    throw storeFailure(error, 'no');
  }
}

/** Drops the file, and closes the upload to whoever comes late. */
export async function discardFile({ artifacts }: DocumentResources, context: Undo): Promise<UndoOutcome> {
  try {
    const found = await artifacts.abortUpload(uploadKeyOf(context, context.generation));
    return found === 'aborted' ? 'undone' : 'noop';
  } catch (error) {
    throw error instanceof UploadAborted ? error : storeFailure(error, 'unknown');
  }
}
