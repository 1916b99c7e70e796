/** The demo's pictures: one in three sizes and formats, and one that is cut short and fails alone. */
import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { RenditionFile, RenditionSource, Upload } from '../../libs/client/image.types.js';
import type { Job } from '../../libs/client/job.types.js';
import { packageRoot } from '../../libs/embedded/cache-folder.js';
import { all, renderOutcome, seeThrough, stepsOn, type DemoContext, type DemoPart } from './demo.part.js';
import type { Claim } from './demo-proof.view.js';
import { formatBytes, formatDuration } from './figures.view.js';
import { renderTable } from './jobs-table.view.js';
import { openStatusLine, toPlain } from './terminal.js';

/** As a telephone stores it: on its side, with a place and a camera in its metadata. */
const PICTURE = join('docs', 'kinds', 'image', 'source.jpg');
const RENDITIONS = [
  { name: 'wide', width: 800, format: 'avif' },
  { name: 'card', width: 480, height: 270, fit: 'cover', format: 'webp' },
  { name: 'thumb', width: 160, height: 160, fit: 'cover', format: 'jpeg' },
] as const;
const EXTENSIONS: Readonly<Record<string, string>> = { jpeg: 'jpg' };

export const runRenditions: DemoPart = async (context) => {
  const { client, terminal, signal, name, folder } = context;
  const title = terminal.paint('bold', `A picture in ${RENDITIONS.length} sizes and formats`);
  terminal.print(`\n${title}: it lies on its side, and tells where it was taken; a second one is cut short`);
  const line = openStatusLine(terminal);
  let cut: Upload | undefined;
  try {
    line.update('Uploading …', 'Uploading');
    const bytes = await readFile(join(packageRoot(), PICTURE));
    const picture = await client.uploads.create(bytes, { signal });
    cut = await client.uploads.create(bytes.subarray(0, cutOf(name, bytes.length)), { signal });

    const startedAt = performance.now();
    const { job } = await client.submit(
      'image.renditions',
      { sources: [picture.id, cut.id], renditions: [...RENDITIONS] },
      { signal },
    );
    const ended = await seeThrough(context, job, stepsOn(line, terminal, 'Rendering'));
    const tookMs = performance.now() - startedAt;
    const sources = await all(client.renditions.list(job.id, { signal }));
    const made = sources.find(({ upload }) => upload === picture.id)?.files ?? [];
    const files = await Promise.all(made.map((file) => fetchFile(context, job.id, picture.id, file)));
    line.end();
    const source = { name: 'source', ...(await readPicture(bytes)) };
    renderTable([source, ...files].map(rowOf)).forEach((text) => terminal.print(text));
    const refused = sources.find(({ upload }) => upload === cut?.id);
    return claimsOf({ ended, picture, source, files, refused, folder, tookMs });
  } finally {
    line.end();
    // Nobody else's: no other picture is cut at this place.
    if (cut) await client.uploads.remove(cut.id);
  }
};

/** Behind its middle, at another place each run: a set that was rendered before is not rendered again. */
function cutOf(name: string, length: number): number {
  const spread = Number.parseInt(name.slice(-8), 16) % Math.floor(length / 4);
  return Math.floor(length / 2) + spread;
}

/** What a file itself says. */
interface Picture {
  readonly contentType: string;
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
  readonly hasMetadata: boolean;
}

interface Named extends Picture {
  readonly name: string;
}

/** Downloads it, size and SHA-256 verified, and reads it. */
async function fetchFile(
  { client, signal, folder }: DemoContext,
  jobId: string,
  upload: string,
  { name, format }: RenditionFile,
): Promise<Named> {
  const asked = RENDITIONS.find((rendition) => rendition.name === name);
  if (!asked) throw new Error(`Nobody asked for a rendition "${name}".`);
  const to = join(folder, `${asked.name}.${EXTENSIONS[format] ?? asked.format}`);
  await client.renditions.download({ jobId, upload, name }, { to, signal });
  return { name, ...(await readPicture(await readFile(to))) };
}

async function readPicture(bytes: Buffer): Promise<Picture> {
  // Loaded here: no other command wants it.
  const { default: sharp } = await import('sharp');
  const { mediaType = 'unknown', width, height, exif, orientation } = await sharp(bytes).metadata();
  const hasMetadata = exif !== undefined || orientation !== undefined;
  return { contentType: mediaType, width, height, bytes: bytes.length, hasMetadata };
}

function rowOf({ name, contentType, width, height, bytes }: Named): string[] {
  return [`  ${name}`, contentType, `${width} × ${height}`, formatBytes(bytes)];
}

interface RenditionFacts {
  readonly ended: Job;
  /** Width and height as shown. */
  readonly picture: Upload;
  /** As it was uploaded. */
  readonly source: Picture;
  readonly files: readonly Named[];
  /** The one that is cut short. */
  readonly refused: RenditionSource | undefined;
  readonly folder: string;
  readonly tookMs: number;
}

function claimsOf(facts: RenditionFacts): Claim[] {
  const { ended, picture, source, files, refused, folder, tookMs } = facts;
  const isMade = ended.status === 'SUCCEEDED';
  const left = files.filter(({ hasMetadata }) => hasMetadata);
  return [
    {
      label: 'rendered',
      value: isMade
        ? `${files.length} of ${RENDITIONS.length}, to ${relative(process.cwd(), folder) || folder}; SHA-256 as announced, sizes and formats as asked`
        : renderOutcome(ended),
      holds: isMade && files.length === RENDITIONS.length && files.every(isAsAsked),
    },
    {
      label: 'upright',
      value: `turned as its metadata ask; of those (camera, place) ${left.length === 0 ? 'none is left' : `${left.length} files tell`}`,
      holds: source.hasMetadata && files.some((file) => hasShapeOf(picture, file)) && left.length === 0,
    },
    {
      label: 'refused',
      value: `the second one, alone: ${toPlain(refused?.detail ?? refused?.reason ?? refused?.status ?? 'unknown')}`,
      holds: refused?.status === 'refused' && refused.reason === 'image_unreadable',
    },
    { label: 'in all', value: `${formatDuration(tookMs)} from the POST to the end` },
  ];
}

function isAsAsked({ name, contentType, width, height }: Named): boolean {
  const asked = RENDITIONS.find((rendition) => rendition.name === name);
  if (!asked || contentType !== `image/${asked.format}` || width !== asked.width) return false;
  return !('height' in asked) || height === asked.height;
}

/** To half a pixel of its height. */
function hasShapeOf(picture: Upload, { width, height }: Named): boolean {
  return Math.abs((width * picture.height) / picture.width - height) <= 0.5;
}
