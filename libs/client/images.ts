/** Uploads, and what was made of them. */
import { openAsBlob } from 'node:fs';
import type { RetryPolicy } from './backoff.js';
import type { CallOptions } from './client.js';
import { downloadArtifact, type Downloaded, type DownloadOptions } from './download.js';
import type { RenditionSource, Upload } from './image.types.js';
import type { ArtifactLink } from './job.types.js';
import { UPLOAD_EXTRA_MS, type Transport } from './transport.js';
import type { Pages } from './webhooks.js';

export interface Uploads {
  /**
   * Sends a file by its path, streamed, or bytes. Repeated where the connection broke: the same bytes are one upload.
   * Throws `upload_not_an_image`, `upload_too_large`, …
   */
  create(source: string | Uint8Array, options?: CallOptions): Promise<Upload>;
  get(id: string, options?: CallOptions): Promise<Upload>;
  /** Jobs that have not read it yet refuse it. */
  remove(id: string, options?: CallOptions): Promise<void>;
}

export interface RenditionOf {
  readonly jobId: string;
  readonly upload: string;
  readonly name: string;
}

export interface Renditions {
  /** A job's sources with their files; pages are fetched as the loop reaches them. */
  list(
    jobId: string,
    options?: CallOptions & { pageSize?: number | undefined },
  ): AsyncGenerator<RenditionSource, void>;
  /** Streams one file to disk, resuming after breaks, and verifies size and SHA-256. */
  download(file: RenditionOf, options: DownloadOptions): Promise<Downloaded>;
}

export function createImages(
  transport: Transport,
  pages: Pages,
  retry: RetryPolicy,
): { uploads: Uploads; renditions: Renditions } {
  const uploadPath = (id: string): string => `/uploads/${encodeURIComponent(id)}`;
  const renditionsPath = (jobId: string): string => `/jobs/${encodeURIComponent(jobId)}/renditions`;
  return {
    uploads: {
      async create(source, { signal } = {}) {
        // A Blob over a file reads it as it is sent, and can be sent again.
        const body = typeof source === 'string' ? await openAsBlob(source) : new Uint8Array(source);
        const call = {
          method: 'POST',
          path: '/uploads',
          bytes: () => body,
          extraMs: UPLOAD_EXTRA_MS,
        } as const;
        return (await transport.call({ ...call, signal })).body as Upload;
      },
      async get(id, { signal } = {}) {
        return (await transport.call({ method: 'GET', path: uploadPath(id), signal })).body as Upload;
      },
      async remove(id, { signal } = {}) {
        await transport.call({ method: 'DELETE', path: uploadPath(id), signal });
      },
    },
    renditions: {
      list: (jobId, { signal, pageSize } = {}) => pages(renditionsPath(jobId), { limit: pageSize }, signal),
      download({ jobId, upload, name }, options) {
        const path = `${renditionsPath(jobId)}/${encodeURIComponent(upload)}/${encodeURIComponent(name)}`;
        const link = async (): Promise<ArtifactLink> =>
          (await transport.call({ method: 'GET', path, signal: options.signal })).body as ArtifactLink;
        return downloadArtifact(link, retry, options);
      },
    },
  };
}
