/** Makes the upload a file that can be served, and finds out afterwards whether that happened. */
import { Denied } from '../../libs/saga/failure.js';
import type { ProbeOutcome } from '../../libs/saga/implement.js';
import { storeFailure } from '../report-export/failures.js';
import type { DocumentResources } from '../resources.js';
import { fileOf, uploadKeyOf, type Args, type Call, type Context, type Output } from './context.js';

const PARTS = 1;

export async function publish(
  { artifacts }: DocumentResources,
  { upload, sha256 }: Args<'publish'>,
  context: Context<'publish'>,
): Promise<Output<'publish'>> {
  const published = await artifacts
    .publish(uploadKeyOf(context, upload), {
      parts: PARTS,
      ...fileOf(context.input),
      signal: context.signal,
      onBytes: () => context.heartbeat(),
    })
    .catch((error: unknown) => {
      throw storeFailure(error, 'unknown');
    });
  if (published.sha256 !== sha256) {
    throw new Denied(
      'store_altered',
      `The store serves ${published.sha256} for the ${sha256} that was written. Look at the store before anybody gets this file.`,
    );
  }
  const { location, bytes } = published;
  return { location, bytes, sha256 };
}

export async function findPublished(
  { artifacts }: DocumentResources,
  { upload }: Args<'publish'>,
  context: Call,
): Promise<ProbeOutcome<Output<'publish'>>> {
  const found = await artifacts.findPublished(uploadKeyOf(context, upload)).catch((error: unknown) => {
    throw storeFailure(error, 'no');
  });
  if (!found) return { happened: false };
  const { location, bytes, sha256 } = found;
  return { happened: true, output: { location, bytes, sha256 } };
}
