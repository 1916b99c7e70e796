/** Counts the rows of the snapshot, beside the parts: what they must have together, and the whole of the progress. */
import type { ExportResources } from '../resources.js';
import { exportSourceOf, type Args, type Context, type Output } from './context.js';
import { countRows } from './cut.js';
import { sourceFailure } from './failures.js';

export async function countSnapshot(
  resources: ExportResources,
  { snapshot }: Args<'count'>,
  context: Context<'count'>,
): Promise<Output<'count'>> {
  const exported = await exportSourceOf(resources, context);
  const rows = await exported.source
    .inSnapshot(snapshot, (connection) => countRows(connection, exported, context.input), {
      signal: context.signal,
      isCount: true,
    })
    .catch((error: unknown) => {
      throw sourceFailure(error);
    });
  context.progress({ total: rows, unit: 'rows' });
  return { rows };
}
