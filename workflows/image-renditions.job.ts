/**
 * `image.renditions`: uploaded images in every size and format of one set. A source that cannot be rendered fails alone,
 * with its reason; the job fails when all of them do. Nothing is to be had before the manifest is published, and what
 * fails for good before then discards every file.
 */
import { z } from 'zod';
import { compensable, defineJob, pivot, readOnly, retriable } from '../libs/saga/define.js';
import { digest } from '../libs/saga/digest.js';
import { Rejected } from '../libs/saga/failure.js';
import { Count, Sha256 } from '../libs/saga/values.js';
import { PublishedFile } from './published-file.js';

const SOURCES_MAX = 100;
const RENDITIONS_MAX = 20;
export const SIDE_PIXELS_MAX = 4_096;
/** Of all renditions of a set together: what bounds the time one source may take. */
const SET_PIXELS_MAX = 128_000_000;
const SOURCES_AT_ONCE_MAX = 4;
/** Three quarters of a minute, on average, with the waits: a store that fails over is no reason to fail. */
const RETRY = { attempts: 12 } as const;

const Side = z.int().min(1).max(SIDE_PIXELS_MAX);

const Rendition = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9_-]{0,31}$/, 'must be a short name like thumb-320')
      .describe('Unique in the set; part of the file’s address.'),
    width: Side.optional().describe('Pixels. One side may be left out with `inside`.'),
    height: Side.optional(),
    fit: z
      .enum(['inside', 'cover', 'contain', 'fill'])
      .default('inside')
      .describe(
        '`inside`: whole, no larger than the box. `cover`: fills it, cut around the middle. `contain`: whole, padded. `fill`: distorted.',
      ),
    format: z.enum(['avif', 'webp', 'jpeg']),
    quality: z
      .int()
      .min(1)
      .max(100)
      .optional()
      .describe('Without it 50 for AVIF and 80 for the others, which look alike.'),
    background: z
      .string()
      .regex(/^#[0-9a-f]{6}$/, 'must be a colour like #ffffff')
      .default('#ffffff')
      .describe('Behind what is transparent where the format has no transparency (JPEG), and of padding.'),
    enlarge: z.boolean().default(false).describe('Without it no image is made larger than its source.'),
  })
  .refine(({ width, height }) => width !== undefined || height !== undefined, 'give width, height or both')
  .refine(({ fit, width, height }) => fit === 'inside' || (width !== undefined && height !== undefined), {
    message: 'this fit needs width and height',
    path: ['fit'],
  });
export type Rendition = z.output<typeof Rendition>;

const isDistinct = (values: readonly string[]): boolean => new Set(values).size === values.length;

export const ImageRenditionsInput = z.strictObject({
  sources: z
    .array(z.uuid())
    .min(1)
    .max(SOURCES_MAX)
    .refine(isDistinct, 'name each upload once')
    .describe('Ids of POST /uploads.'),
  renditions: z
    .array(Rendition)
    .min(1)
    .max(RENDITIONS_MAX)
    .refine((set) => isDistinct(set.map(({ name }) => name)), 'each needs a name of its own')
    .refine(
      (set) => set.reduce((sum, rendition) => sum + pixelsOf(rendition), 0) <= SET_PIXELS_MAX,
      `all of them together may have ${SET_PIXELS_MAX} pixels; a side left out counts as ${SIDE_PIXELS_MAX}`,
    ),
});
export type ImageRenditionsInput = z.output<typeof ImageRenditionsInput>;

const SourceOf = z.strictObject({ source: Count });
/** `refused`: why nothing was made of the source; then there are no files. */
const Rendered = z.strictObject({ files: Count, bytes: Count, refused: z.string().max(60).optional() });
const Announced = z.strictObject({
  filename: z.string(),
  contentType: z.string(),
  expiresAt: z.iso.datetime(),
});

export const imageRenditions = defineJob({
  kind: 'image.renditions',
  summary: 'Uploaded images in a set of sizes and formats, with one manifest',
  queue: 'images',
  input: ImageRenditionsInput,
  result: Announced.extend({
    sources: Count,
    rendered: Count,
    refused: Count,
    files: Count,
    fileBytes: Count,
    /** Of the manifest. */
    bytes: Count,
    sha256: Sha256,
  }),
  naturalKey: ({ sources, renditions }) => [digest(sources), digest(renditions)],
  deadline: '6h',
  artifact: { ttl: '24h' },
  example: {
    sources: ['0190b2f0-0000-7000-8000-000000000000'],
    renditions: [
      { name: 'thumb', width: 160, height: 160, fit: 'cover', format: 'webp' },
      { name: 'large', width: 1600, format: 'avif' },
    ],
  },
  steps: {
    inspect: readOnly({
      summary: 'Look the sources up, and keep them until the end',
      pool: 'io',
      output: z.strictObject({ sources: Count, usable: z.array(Count).max(SOURCES_MAX) }),
      retry: RETRY,
    }),
    render: compensable({
      summary: 'Make all renditions of one source',
      pool: 'cpu',
      effect: 'keyed',
      args: SourceOf,
      output: Rendered,
      undo: 'discardRenditions',
      // Discarding burns the keys of the files: a lost worker can write no more, so nothing is waited for.
      undoFence: 'key',
      timeout: '15m',
      longerBecause: 'A set of AVIF at the limit takes six minutes of noise; photographs take seconds.',
      retry: RETRY,
      undoRetry: RETRY,
    }),
    publish: pivot({
      summary: 'Publish the manifest',
      pool: 'io',
      effect: 'keyed',
      output: PublishedFile,
      probe: 'findManifest',
      retry: RETRY,
    }),
    announce: retriable({
      summary: 'Record the manifest, and when all of it expires',
      pool: 'io',
      effect: 'own',
      args: PublishedFile,
      output: Announced,
    }),
  },
  async run(saga) {
    const { steps } = saga;
    const { sources, usable } = await steps.inspect();
    const made = await saga.forEach('render', usable.length, (item) => ({ source: usable[item] as number }), {
      concurrency: SOURCES_AT_ONCE_MAX,
    });
    const rendered = made.filter(({ refused }) => refused === undefined);
    if (rendered.length === 0) {
      throw new Rejected(
        'no_source_usable',
        'None of the sources can be rendered; GET /jobs/{id}/renditions says why of each.',
      );
    }
    const { location, bytes, sha256 } = await steps.publish();
    const announced = await steps.announce({ location, bytes, sha256 });
    return {
      sources,
      rendered: rendered.length,
      refused: sources - rendered.length,
      files: rendered.reduce((sum, { files }) => sum + files, 0),
      fileBytes: rendered.reduce((sum, source) => sum + source.bytes, 0),
      bytes,
      sha256,
      ...announced,
    };
  },
});

function pixelsOf({ width = SIDE_PIXELS_MAX, height = SIDE_PIXELS_MAX }: z.input<typeof Rendition>): number {
  return width * height;
}
