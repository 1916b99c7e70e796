/** Makes the parts one file, whole or not at all, and finds out afterwards whether that happened. */
import type { PublishedArtifact } from '../../libs/artifacts/artifact-store.js';
import { Rejected } from '../../libs/saga/failure.js';
import type { ProbeOutcome } from '../../libs/saga/implement.js';
import type { ExportResources } from '../resources.js';
import { closeFile } from './close.js';
import { fileOf, uploadKeyOf, type Args, type Call, type Context, type Output } from './context.js';
import { storeFailure } from './failures.js';

export async function publish(
  { artifacts }: ExportResources,
  { plan, parts, rows, rendered }: Args<'publish'>,
  context: Context<'publish'>,
): Promise<Output<'publish'>> {
  if (rendered !== rows) {
    throw new Rejected(
      'row_count_mismatch',
      `The parts have ${rendered} rows, but the snapshot had ${rows}: the dataset's query does not answer the same twice.`,
    );
  }
  const key = uploadKeyOf(context, plan);
  try {
    const closed = await closeFile(artifacts, { key, parts }, context);
    return outputOf(
      await artifacts.publish(key, {
        parts: closed,
        ...fileOf(context.input),
        signal: context.signal,
        onBytes: () => context.heartbeat(),
      }),
    );
  } catch (error) {
    throw storeFailure(error, 'unknown');
  }
}

export async function findPublished(
  { artifacts }: ExportResources,
  { plan }: Args<'publish'>,
  context: Call,
): Promise<ProbeOutcome<Output<'publish'>>> {
  const found = await artifacts.findPublished(uploadKeyOf(context, plan)).catch((error: unknown) => {
    throw storeFailure(error, 'no');
  });
  return found ? { happened: true, output: outputOf(found) } : { happened: false };
}

function outputOf({ location, bytes, sha256 }: PublishedArtifact): Output<'publish'> {
  return { location, bytes, sha256 };
}
