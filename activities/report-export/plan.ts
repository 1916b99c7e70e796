/**
 * Cuts the rows of the snapshot into parts, which it stores for the parts' workers. It counts them where they are few,
 * and where the cut or the format needs to know; elsewhere they are counted beside the parts.
 */
import type pg from 'pg';
import type { KeyRange } from '../../libs/datasets/select.sql.js';
import { Rejected } from '../../libs/saga/failure.js';
import type { ExportResources } from '../resources.js';
import { exportSourceOf, type Args, type Context, type Output } from './context.js';
import { countKeys, cutAtAGlance, cutParts } from './cut.js';
import { storePlan } from './export-parts.store.js';
import { sourceFailure } from './failures.js';
import { refuseWhatNoFileHolds } from './limits.js';

interface Cut {
  /** Where they were counted. */
  readonly rows: number | undefined;
  readonly ranges: readonly KeyRange[];
}

export async function planParts(
  resources: ExportResources,
  { snapshot }: Args<'plan'>,
  context: Context<'plan'>,
): Promise<Output<'plan'>> {
  const { input, job, generation: plan } = context;
  const exported = await exportSourceOf(resources, context);
  const { dataset, source } = exported;
  const cut = async (connection: pg.ClientBase): Promise<Cut> => {
    const glanced = await cutAtAGlance(connection, exported, input, resources.rowsPerPart);
    if (glanced) return { rows: undefined, ranges: glanced };
    const counted = await countKeys(connection, exported, input);
    if (counted.keys < counted.rows) {
      throw new Rejected(
        'dataset_key_missing',
        `Dataset "${dataset.name}" has ${counted.rows - counted.keys} rows without its key "${dataset.key}"; a key may not be null.`,
      );
    }
    await refuseWhatNoFileHolds(connection, exported, input, counted.rows);
    const ranges = await cutParts(connection, exported, input, counted, resources.rowsPerPart);
    return { rows: counted.rows, ranges };
  };
  const { rows, ranges } = await source
    .inSnapshot(snapshot, cut, { signal: context.signal })
    .catch((error: unknown) => {
      throw sourceFailure(error);
    });
  await storePlan(resources.database, { jobId: job.id, tenantId: job.tenantId, plan }, ranges);
  context.progress({ unit: 'rows', ...(rows === undefined ? {} : { total: rows }) });
  return { plan, parts: ranges.length, ...(rows === undefined ? {} : { rows }) };
}
