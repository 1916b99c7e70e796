/**
 * Makes all renditions of one source: it is read and decoded once. What is wrong with the source is noted, and is no
 * failure of the job. Its undo burns the files' keys, and takes back what was noted.
 */
import { locationOf } from '../../libs/artifacts/artifact-store.js';
import { IMAGE_BYTES_MAX } from '../../libs/images/limits.js';
import {
  noteFiles,
  noteRefusal,
  withdrawSource,
  type NewFile,
  type Refusal,
} from '../../libs/images/renditions.store.js';
import { Rejected } from '../../libs/saga/failure.js';
import type { UndoOutcome } from '../../libs/saga/implement.js';
import { inTenant } from '../../libs/store/database.js';
import { readUpload } from '../../libs/uploads/uploads.store.js';
import { SIDE_PIXELS_MAX, type Rendition } from '../../workflows/image-renditions.job.js';
import type { ImageResources } from '../resources.js';
import { artifactFailure } from '../store.failures.js';
import { fileKeyOf, type Args, type Context, type Output, type Undo } from './context.js';
import { UPLOAD_GONE } from './inspect.js';

const BEAT_MS = 1_000;
const DETAIL_LENGTH_MAX = 500;

export async function renderSource(
  resources: ImageResources,
  { source }: Args<'render'>,
  context: Context<'render'>,
): Promise<Output<'render'>> {
  // Decoding is not ours to interrupt, and goes on in threads of its own.
  const beat = setInterval(() => context.heartbeat(), BEAT_MS);
  try {
    const bytes = await readSource(resources, source, context);
    return await (bytes ? renderBytes(resources, source, bytes, context) : refuse(UPLOAD_GONE));
  } catch (error) {
    const { ImageUnreadable } = await import('../../libs/images/pixels.js');
    if (error instanceof ImageUnreadable) return refuse({ reason: error.code, detail: error.message });
    throw artifactFailure(error, 'unknown');
  } finally {
    clearInterval(beat);
  }

  async function refuse({ reason, detail }: Refusal): Promise<Output<'render'>> {
    const { job, generation } = context;
    const noted = await inTenant(resources.database, job.tenantId, (tx) =>
      noteRefusal(
        tx,
        { jobId: job.id, source, generation },
        { reason, detail: detail.slice(0, DETAIL_LENGTH_MAX) },
      ),
    );
    if (!noted) throw withdrawn(source);
    return { files: 0, bytes: 0, refused: reason };
  }
}

async function readSource(
  { database, artifacts }: ImageResources,
  source: number,
  { job, input, signal }: Context<'render'>,
): Promise<Buffer | undefined> {
  const uploadId = input.sources[source];
  if (uploadId === undefined) throw new TypeError(`the job has no source ${source}`);
  const upload = await inTenant(database, job.tenantId, (tx) => readUpload(tx, uploadId));
  return upload && artifacts.readPublished(upload.location, IMAGE_BYTES_MAX, signal);
}

async function renderBytes(
  { database, artifacts }: ImageResources,
  source: number,
  bytes: Buffer,
  context: Context<'render'>,
): Promise<Output<'render'>> {
  const { job, input, generation, signal } = context;
  // Loaded where an image is made, and in no other worker.
  const { decode } = await import('../../libs/images/pixels.js');
  const { ENCODERS, render } = await import('../../libs/images/rendition.js');
  const set = input.renditions.map(bounded);
  const pixels = await decode(bytes, set);
  const files: NewFile[] = [];
  let written = 0;
  for (const [place, rendition] of set.entries()) {
    signal.throwIfAborted();
    const { name, format } = rendition;
    const { contentType, extension } = ENCODERS[format];
    const { data, width, height } = await render(pixels, rendition);
    const key = fileKeyOf(context, source, place);
    const filename = `${input.sources[source] ?? ''}-${name}.${extension}`;
    const put = await artifacts.put(key, data, { filename, contentType });
    written += put.bytes;
    files.push({ ...put, place, name, location: locationOf(key), format, contentType, width, height });
    context.progress({ done: files.length, bytes: written, unit: 'files' });
  }
  const noted = await inTenant(database, job.tenantId, (tx) =>
    noteFiles(tx, { jobId: job.id, source, generation }, pixels.source, files),
  );
  if (!noted) throw withdrawn(source);
  return { files: files.length, bytes: written };
}

/** However long and narrow the source, no side is longer than one that may be asked for. */
function bounded(rendition: Rendition): Rendition {
  const { width = SIDE_PIXELS_MAX, height = SIDE_PIXELS_MAX } = rendition;
  return { ...rendition, width, height };
}

/** Burns the key of every file this source may have; who is still at it can put no more. */
export async function discardRenditions(
  { database, artifacts }: ImageResources,
  { source }: Args<'render'>,
  context: Undo,
): Promise<UndoOutcome> {
  const { job, input, generation } = context;
  try {
    let discarded = 0;
    for (const place of input.renditions.keys()) {
      context.heartbeat();
      if ((await artifacts.discard(fileKeyOf(context, source, place))) === 'discarded') discarded += 1;
    }
    const noted = await inTenant(database, job.tenantId, (tx) =>
      withdrawSource(tx, { jobId: job.id, source, generation }),
    );
    return discarded + noted > 0 ? 'undone' : 'noop';
  } catch (error) {
    throw artifactFailure(error, 'unknown');
  }
}

function withdrawn(source: number): Rejected {
  return new Rejected('upload_closed', `The renditions of source ${source} were discarded meanwhile.`);
}
