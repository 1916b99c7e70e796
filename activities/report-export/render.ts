/** Writes one part: COPY from the shared snapshot straight into the store. Its undo burns the whole upload. */
import type pg from 'pg';
import { UploadAborted } from '../../libs/artifacts/artifact-store.js';
import { compressed } from '../../libs/datasets/compressions.js';
import { describeSql, type KeyRange } from '../../libs/datasets/select.sql.js';
import { Rejected } from '../../libs/saga/failure.js';
import type { UndoOutcome } from '../../libs/saga/implement.js';
import { CopyOut } from '../../libs/store/copy-out.stream.js';
import type { ExportResources } from '../resources.js';
import {
  compressionOf,
  exportSourceOf,
  formatOf,
  uploadKeyOf,
  type Args,
  type Context,
  type ExportSource,
  type Output,
  type Undo,
} from './context.js';
import { findPart } from './export-parts.store.js';
import { sourceFailure, storeFailure } from './failures.js';

const REPORT_MS = 200;

export async function renderPart(
  resources: ExportResources,
  args: Args<'render'>,
  context: Context<'render'>,
): Promise<Output<'render'>> {
  const { job } = context;
  const key = uploadKeyOf(context, args.plan);
  const exported = await exportSourceOf(resources, context);
  const range = await findPart(
    resources.database,
    { jobId: job.id, tenantId: job.tenantId, plan: args.plan },
    args.part,
  );
  if (!range) throw new Rejected('plan_missing', `There is no part ${args.part} in plan ${args.plan}.`);
  try {
    await resources.artifacts.openUpload(key);
    return await exported.source.inSnapshot(args.snapshot, async (connection) =>
      copyPart(resources, connection, exported, { ...args, range, key }, context),
    );
  } catch (error) {
    throw sourceFailure(storeFailure(error, 'no'));
  }
}

async function copyPart(
  { artifacts }: ExportResources,
  connection: pg.ClientBase,
  { dataset, tenant }: ExportSource,
  { key, part, range }: { readonly key: string; readonly part: number; readonly range: KeyRange },
  context: Context<'render'>,
): Promise<Output<'render'>> {
  const { input, signal } = context;
  const { fields } = await connection.query(describeSql(dataset, input, tenant));
  const format = formatOf(input);
  const columns = (await format.describe?.(connection, fields)) ?? fields;
  const header = format.hasHeader && part === 0;
  const copy = connection.query(
    new CopyOut(format.partSql(dataset, input, tenant, { columns, range, header })),
  );
  const packed = format.pack?.(copy, columns, input.compression) ?? copy;
  const compression = compressionOf(input);
  const file = compression ? compressed(packed, compression) : packed;
  const rows = (): number => Math.max(0, copy.rows - (header ? 1 : 0));
  const reporting = setInterval(() => {
    context.progress({ done: rows(), bytes: file.bytes, unit: 'rows' });
  }, REPORT_MS);
  try {
    const written = await artifacts.writePart(key, part, file, signal);
    context.progress({ done: copy.rows, bytes: written.bytes, unit: 'rows' });
    return { rows: copy.rows, bytes: written.bytes };
  } finally {
    clearInterval(reporting);
  }
}

/** Drops the upload this part went into, and every other part of it: a plan is published whole or not at all. */
export async function discardParts(
  resources: ExportResources,
  { plan }: Args<'render'>,
  context: Undo,
): Promise<UndoOutcome> {
  try {
    const found = await resources.artifacts.abortUpload(uploadKeyOf(context, plan));
    return found === 'aborted' ? 'undone' : 'noop';
  } catch (error) {
    throw error instanceof UploadAborted ? error : storeFailure(error, 'unknown');
  }
}
