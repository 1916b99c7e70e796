/** The side effects of `document.pdf`. */
import { announceArtifact } from '../../libs/artifacts/announcements.store.js';
import { recordDocument } from '../../libs/documents/documents.store.js';
import { Rejected } from '../../libs/saga/failure.js';
import type { Implementation } from '../../libs/saga/implement.js';
import { documentPdf as definition } from '../../workflows/document-pdf.job.js';
import type { DocumentResources } from '../resources.js';
import { fileOf, type Args, type Context, type Output } from './context.js';
import { findPublished, publish } from './publish.js';
import { discardFile, render } from './render.js';

export function documentPdf(resources: DocumentResources): Implementation<typeof definition> {
  return {
    steps: {
      render: (_, context) => render(resources, context),
      publish: (args, context) => publish(resources, args, context),
      announce: (args, context) => announce(resources, args, context),
    },
    undos: { discardFile: (_, context) => discardFile(resources, context) },
    probes: { findPublished: (args, context) => findPublished(resources, args, context) },
  };
}

/** In the transaction that also records the step. */
async function announce(
  { artifacts }: DocumentResources,
  { location, bytes, sha256, rowsSha256, pages, rows }: Args<'announce'>,
  { input, job, tx }: Context<'announce'>,
): Promise<Output<'announce'>> {
  const file = fileOf(input);
  const expiresAt = await announceArtifact(tx, job, {
    ...{ location, bytes, sha256, rows },
    ...file,
    store: artifacts.name,
    ttlMs: definition.artifactTtlMs,
  });
  const isTheSame = await recordDocument(tx, input, { sha256, rowsSha256, pages, jobId: job.id });
  if (!isTheSame) {
    throw new Rejected(
      'document_changed',
      `Version ${input.version} was made meanwhile, and is another file.`,
    );
  }
  return { ...file, expiresAt: expiresAt.toISOString() };
}
