/**
 * `report.export`: a file of a dataset's rows, all of one moment, built in parallel parts and published at once. Until it
 * is published, what fails for good discards the parts; a lost snapshot starts over from `plan`.
 */
import { z } from 'zod';
import { compensable, defineJob, holder, pivot, readOnly, retriable } from '../libs/saga/define.js';
import { digest } from '../libs/saga/digest.js';
import { Count, Sha256 } from '../libs/saga/values.js';
import { PublishedFile } from './published-file.js';

const FILTERED_COLUMNS_MAX = 20;
const COLUMNS_MAX = 200;
const TEXT_LENGTH_MAX = 1_000;
const IN_LIST_MAX = 100;
const PARTS_AT_ONCE_MAX = 4;
const START_OVER_MAX = 3;
/** Three quarters of a minute, on average, with the waits: a source or a store that fails over is no reason to fail. */
const RETRY = { attempts: 12 } as const;

const DatasetName = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,62}$/)
  .describe('A dataset the operator configured for this tenant.');
const ColumnName = z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,62}$/);
const Scalar = z.union([z.string().max(TEXT_LENGTH_MAX), z.number(), z.boolean()]);

const Condition = z
  .strictObject({
    eq: Scalar.optional(),
    ne: Scalar.optional(),
    gt: Scalar.optional(),
    gte: Scalar.optional(),
    lt: Scalar.optional(),
    lte: Scalar.optional(),
    in: z.array(Scalar).min(1).max(IN_LIST_MAX).optional(),
    isNull: z.boolean().optional(),
  })
  .refine((condition) => Object.keys(condition).length > 0, 'name at least one operator, e.g. {"gte": 5}');

const Filter = z
  .record(ColumnName, Condition)
  .refine((filter) => Object.keys(filter).length > 0, 'name at least one column, or leave the filter out')
  .refine((filter) => Object.keys(filter).length <= FILTERED_COLUMNS_MAX, `at most ${FILTERED_COLUMNS_MAX}`)
  .describe('Column → conditions; all of them must hold.');

/** What a client asks for. Whether dataset, columns, operators and types exist is checked at acceptance. */
export const ReportExportInput = z
  .strictObject({
    dataset: DatasetName,
    version: z.int().positive().describe('Part of the natural key: raise it to have a fresh file.'),
    format: z.enum(['csv', 'ndjson', 'xlsx', 'parquet']),
    compression: z
      .enum(['gzip', 'zstd'])
      .optional()
      .describe(
        'Not for xlsx. Of the file itself: it is stored, hashed and served compressed, e.g. as `flights-7.csv.gz`. For parquet it is the codec inside, snappy by default, and the name stays.',
      ),
    columns: z
      .array(ColumnName)
      .min(1)
      .max(COLUMNS_MAX)
      .refine((columns) => new Set(columns).size === columns.length, 'name each column once')
      .optional()
      .describe('Which columns, in which order; without it, all the dataset allows.'),
    filter: Filter.optional(),
    parameters: z
      .record(ColumnName, Scalar)
      .refine(
        (parameters) => Object.keys(parameters).length > 0,
        'name at least one parameter, or leave it out',
      )
      .optional()
      .describe("Values of the dataset's own typed parameters."),
    order: z
      .strictObject({ column: ColumnName, direction: z.enum(['asc', 'desc']).default('asc') })
      .optional()
      .describe("Without it, the order of the dataset's key, which is also the fastest."),
  })
  .refine(({ format, compression }) => format !== 'xlsx' || compression === undefined, {
    path: ['compression'],
    message: 'an XLSX file is compressed already: leave it out',
  });
export type ReportExportInput = z.output<typeof ReportExportInput>;

/**
 * `plan` numbers the upload: a start-over plans anew, and the burnt upload of the old plan stays burnt. `rows` are there
 * where planning had to count them.
 */
const Plan = z.strictObject({ plan: Count, parts: z.int().positive(), rows: Count.optional() });
const PartOf = z.strictObject({ snapshot: z.string(), plan: Count, part: Count });
const Part = z.strictObject({ rows: Count, bytes: Count });
/** `rendered`: the rows of all parts, which must be as many as the snapshot had. */
const Publication = Plan.extend({ rows: Count, rendered: Count });

export const reportExport = defineJob({
  kind: 'report.export',
  summary: 'A file of a dataset’s rows as of one moment, published behind a signed URL',
  queue: 'reports',
  input: ReportExportInput,
  result: z.strictObject({
    rows: Count,
    bytes: Count,
    sha256: Sha256,
    filename: z.string(),
    contentType: z.string(),
    expiresAt: z.iso.datetime(),
  }),
  naturalKey: ({ dataset, version, ...rest }) => [dataset, version, digest(rest)],
  deadline: '6h',
  artifact: { ttl: '24h' },
  example: { dataset: 'flights', version: 1, format: 'csv', filter: { delay: { gte: 60 } } },
  steps: {
    keep: holder({
      summary: 'Hold one moment of the source database open',
      pool: 'keeper',
      output: z.strictObject({ snapshot: z.string() }),
      timeout: '30m',
      longerBecause: 'The snapshot must outlive every part; it is bounded because it holds back vacuum.',
      heartbeat: '5s',
      retry: RETRY,
    }),
    plan: readOnly({
      summary: 'Cut the rows into parts',
      pool: 'io',
      args: z.strictObject({ snapshot: z.string() }),
      output: Plan,
      retry: RETRY,
    }),
    count: readOnly({
      summary: 'Count the rows, beside the parts',
      pool: 'io',
      args: z.strictObject({ snapshot: z.string() }),
      output: z.strictObject({ rows: Count }),
      timeout: '30m',
      longerBecause: 'The parts run meanwhile: nothing waits for it but the publication.',
      retry: RETRY,
    }),
    render: compensable({
      summary: 'Write one part',
      pool: 'cpu',
      effect: 'keyed',
      args: PartOf,
      output: Part,
      undo: 'discardParts',
      // Aborting the upload burns its key: a lost part worker can write no more, so nothing is waited for.
      undoFence: 'key',
      timeout: '30m',
      longerBecause:
        'An order that is not the key’s makes one part of the whole table; parts by key take seconds.',
      retry: RETRY,
      undoRetry: RETRY,
    }),
    publish: pivot({
      summary: 'Publish the file',
      pool: 'io',
      effect: 'keyed',
      args: Publication,
      output: PublishedFile,
      probe: 'findPublished',
      timeout: '10m',
      longerBecause: 'The checksum covers every byte served, however large the file is.',
      retry: RETRY,
    }),
    announce: retriable({
      summary: 'Record the artifact and when it expires',
      pool: 'io',
      effect: 'own',
      args: PublishedFile.extend({ rows: Count }),
      output: z.strictObject({ filename: z.string(), contentType: z.string(), expiresAt: z.iso.datetime() }),
    }),
  },
  async run(saga) {
    const { steps } = saga;
    const plan = await saga.holding(
      'keep',
      undefined,
      { startOver: START_OVER_MAX },
      async ({ snapshot }) => {
        const { plan, parts, rows: known } = await steps.plan({ snapshot });
        const partOf = (part: number) => ({ snapshot, plan, part });
        const [written, rows] = await Promise.all([
          saga.forEach('render', parts, partOf, { concurrency: PARTS_AT_ONCE_MAX }),
          known ?? steps.count({ snapshot }).then((counted) => counted.rows),
        ]);
        return { plan, parts, rows, rendered: written.reduce((sum, part) => sum + part.rows, 0) };
      },
    );
    const published = await steps.publish(plan);
    const announced = await steps.announce({ ...published, rows: plan.rows });
    return { rows: plan.rows, bytes: published.bytes, sha256: published.sha256, ...announced };
  },
});
