/** How a job's file is handed out: a fresh signed URL, as a redirect or, on request, as JSON. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ArtifactStore } from '../../../libs/artifacts/artifact-store.js';
import type { ArtifactRecord } from '../../../libs/store/jobs.store.js';
import { Problem } from '../problems/problem.js';
import { asksForJson } from './headers.js';
import type { ArtifactLink } from './job.schema.js';

/** How long a signed URL opens the file: long enough to start a download, and to resume it for a while. */
export const LINK_TTL_MS = 15 * 60_000;

/** 303, or the link itself for `Accept: application/json`. Throws Problem once the file has expired. */
export async function sendArtifact(
  store: ArtifactStore,
  artifact: ArtifactRecord,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<ArtifactLink | undefined> {
  const link = await signedLink(store, artifact);
  reply.header('cache-control', 'no-store').header('vary', 'accept');
  if (asksForJson(request.headers.accept)) return link;
  reply.code(303).header('location', link.url);
  return undefined;
}

export function resultExpired(): Problem {
  return new Problem('result_expired', 'The result was kept as long as its kind says, and is gone.');
}

async function signedLink(store: ArtifactStore, artifact: ArtifactRecord): Promise<ArtifactLink> {
  const ends = Date.parse(artifact.expiresAt);
  if (artifact.expired || ends <= Date.now()) throw resultExpired();
  const { filename, contentType, bytes, sha256, rows } = artifact;
  const expiresAt = new Date(Math.min(ends, Date.now() + LINK_TTL_MS));
  const url = await store.signedUrl(artifact, expiresAt);
  return {
    url,
    expiresAt: expiresAt.toISOString(),
    bytes,
    sha256,
    contentType,
    filename,
    ...(rows === null ? {} : { rows }),
  };
}
