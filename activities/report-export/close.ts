/** Adds the part that only the whole file can make: a Parquet footer. What it is made of never leaves the store. */
import { UploadAborted, type ArtifactStore } from '../../libs/artifacts/artifact-store.js';
import { formatOf, type Context } from './context.js';

/**
 * Answers how many parts there are to publish. It may be repeated at any time: the parts are the same, so what is
 * written is, too. Throws UploadAborted when the upload was burnt.
 */
export async function closeFile(
  artifacts: ArtifactStore,
  { key, parts }: { readonly key: string; readonly parts: number },
  context: Context<'publish'>,
): Promise<number> {
  const { close } = formatOf(context.input);
  if (!close) return parts;
  const { signal } = context;
  const closed = parts + 1;
  try {
    const last = await close({
      parts,
      read: async (part, bytesMax) => {
        context.heartbeat();
        return artifacts.readPartEnd(key, part, bytesMax, signal);
      },
    });
    await artifacts.writePart(key, parts, last, signal);
  } catch (error) {
    // A closed upload may have been published, by an attempt that was thought dead: the store will find that.
    if (!(error instanceof UploadAborted) || !(await artifacts.findPublished(key))) throw error;
  }
  return closed;
}
