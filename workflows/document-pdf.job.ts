/**
 * `document.pdf`: an invoice or a statement, laid out from the rows of a configured dataset. One version of one object
 * is one file for ever: whoever asks again gets the same bytes, or is told what has changed since.
 */
import { z } from 'zod';
import { compensable, defineJob, pivot, retriable } from '../libs/saga/define.js';
import { Count, Sha256 } from '../libs/saga/values.js';
import { PublishedFile } from './published-file.js';

const OBJECT_LENGTH_MAX = 100;
/** Three quarters of a minute, on average, with the waits: a source or a store that fails over is no reason to fail. */
const RETRY = { attempts: 12 } as const;

const TemplateName = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,62}$/)
  .describe('A document the operator configured for this tenant.');

/** What a client asks for. Whether the template exists is checked at acceptance, the object when its rows are read. */
export const DocumentPdfInput = z.strictObject({
  template: TemplateName,
  object: z
    .string()
    .min(1)
    .max(OBJECT_LENGTH_MAX)
    .regex(/^[^\u0000-\u001f\u007f-\u009f]+$/, 'must have no control characters')
    .describe('What it is about, as the template’s dataset knows it, e.g. the number of an invoice.'),
  version: z
    .int()
    .positive()
    .max(2_147_483_647)
    .describe('Of the object: the same version is the same file. Raise it when its rows have changed.'),
});
export type DocumentPdfInput = z.output<typeof DocumentPdfInput>;

/** `upload`: which of the job's uploads holds the file; one that was discarded is burnt. */
const Rendered = z.strictObject({
  upload: Count,
  rows: Count,
  pages: z.int().positive(),
  bytes: Count,
  sha256: Sha256,
  rowsSha256: Sha256,
});

export const documentPdf = defineJob({
  kind: 'document.pdf',
  summary: 'An invoice or statement as PDF, the same bytes for the same version of the same object',
  queue: 'documents',
  input: DocumentPdfInput,
  result: z.strictObject({
    pages: z.int().positive(),
    rows: Count,
    bytes: Count,
    sha256: Sha256,
    filename: z.string(),
    contentType: z.string(),
    expiresAt: z.iso.datetime(),
  }),
  naturalKey: ({ template, object, version }) => [template, object, version],
  deadline: '1h',
  artifact: { ttl: '168h' },
  example: { template: 'invoice', object: 'INV-2026-0042', version: 1 },
  steps: {
    render: compensable({
      summary: 'Read the rows of one moment, and lay them out',
      pool: 'cpu',
      effect: 'keyed',
      output: Rendered,
      undo: 'discardFile',
      // Aborting the upload burns its key: a lost worker can write no more, so nothing is waited for.
      undoFence: 'key',
      timeout: '5m',
      longerBecause: 'Twenty thousand lines, the most there can be, are five hundred pages.',
      retry: RETRY,
      undoRetry: RETRY,
    }),
    publish: pivot({
      summary: 'Publish the file',
      pool: 'io',
      effect: 'keyed',
      args: Rendered,
      output: PublishedFile,
      probe: 'findPublished',
      retry: RETRY,
    }),
    announce: retriable({
      summary: 'Record the document, its artifact and when that expires',
      pool: 'io',
      effect: 'own',
      args: Rendered.extend({ location: z.string() }),
      output: z.strictObject({ filename: z.string(), contentType: z.string(), expiresAt: z.iso.datetime() }),
    }),
  },
  async run({ steps }) {
    const rendered = await steps.render();
    const { location, bytes, sha256 } = await steps.publish(rendered);
    const announced = await steps.announce({ ...rendered, location });
    return { pages: rendered.pages, rows: rendered.rows, bytes, sha256, ...announced };
  },
});
