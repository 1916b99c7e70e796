/** A bucket in the few words the store needs: small conditional objects, lists, and multipart uploads. */
import type { LookupFunction } from 'node:net';
import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
  type CompletedPart,
  type ListMultipartUploadsCommandOutput,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { S3Settings } from '../config/settings.js';
import { StoreFailure } from './artifact-store.js';
import { batchesOf } from './batches.js';
import type { ByteRange } from './range.js';
import { s3Answer, s3Failure } from './s3-failure.js';

const ATTEMPTS_MAX = 4;
const CONNECT_TIMEOUT_MS = 5_000;
/** No byte either way for so long is a dead connection. */
const SILENCE_TIMEOUT_MS = 30_000;
/** A whole request, answer included: what is copied or sent in one is bounded to fit. */
const REQUEST_TIMEOUT_MS = 300_000;
const SOCKETS_MAX = 32;
const DELETE_BATCH_MAX = 1_000;
const READ_ATTEMPTS_MAX = 3;

export interface ObjectHead {
  readonly bytes: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly modifiedAt: Date;
}

export interface ListedObject {
  readonly key: string;
  readonly etag: string;
  readonly bytes: number;
  readonly modifiedAt: Date;
}

export interface ListedUpload {
  readonly key: string;
  readonly uploadId: string;
  readonly begunAt: Date;
}

export interface ObjectAttributes {
  readonly contentType?: string;
  readonly metadata?: Record<string, string>;
}

/** One multipart upload. Its parts are numbered from 1. */
export interface MultipartUpload {
  readonly key: string;
  readonly uploadId: string;
}

export type UploadedPart = CompletedPart & { readonly PartNumber: number };

/** Something read or copied from is not what it was when it was listed. */
export class SourceChanged extends Error {
  constructor(key: string) {
    super(`The object ${key} was replaced or deleted while it was read`);
    this.name = 'SourceChanged';
  }
}

/** The multipart upload was ended: by its abortion, or because it was completed. */
export class MultipartGone extends Error {
  constructor(key: string) {
    super(`The multipart upload of ${key} is over`);
    this.name = 'MultipartGone';
  }
}

export interface PresignOptions {
  readonly expiresInSeconds: number;
  readonly contentType: string;
  readonly contentDisposition: string;
}

export interface Bucket {
  /** `ifAbsent`: written only where nothing is; answers whether it was. */
  put(
    key: string,
    body: Buffer | string,
    options?: ObjectAttributes & { ifAbsent?: boolean },
  ): Promise<'put' | 'exists'>;
  head(key: string): Promise<ObjectHead | undefined>;
  readText(key: string): Promise<string | undefined>;
  /** A range of an object as it was listed, written to the beginning of `into`. Throws SourceChanged. */
  readRange(source: ListedObject, range: ByteRange, into: Buffer, signal: AbortSignal): Promise<Buffer>;
  /** Objects whose key begins so, in the order of their keys. */
  list(prefix: string): AsyncGenerator<ListedObject>;
  /** Multipart uploads that are neither completed nor aborted. */
  listUploads(prefix: string): AsyncGenerator<ListedUpload>;
  /** What is not there is fine. */
  delete(keys: readonly string[]): Promise<void>;
  begin(key: string, attributes?: ObjectAttributes): Promise<MultipartUpload>;
  /** Throws MultipartGone. */
  send(upload: MultipartUpload, part: number, body: Buffer, signal: AbortSignal): Promise<UploadedPart>;
  /** Has the server copy a range of an object as it was listed. Throws SourceChanged or MultipartGone. */
  copy(
    upload: MultipartUpload,
    part: number,
    source: ListedObject,
    range: ByteRange,
    signal: AbortSignal,
  ): Promise<UploadedPart>;
  /** Makes the parts an object at once; `ifAbsent`: only where nothing is. Throws MultipartGone. */
  complete(
    upload: MultipartUpload,
    parts: readonly UploadedPart[],
    options?: { ifAbsent?: boolean },
  ): Promise<'completed' | 'exists'>;
  /** Ends a multipart upload and drops its parts; one that is over is fine. */
  abandon(upload: MultipartUpload): Promise<void>;
  presign(key: string, options: PresignOptions): Promise<string>;
}

export interface BucketOptions {
  /** How host names are resolved; the system's way unless told. */
  readonly lookup?: LookupFunction;
}

/** Opens nothing yet: connections are made as they are needed, and let go when idle. */
export function openBucket(settings: S3Settings, options: BucketOptions = {}): Bucket {
  const client = createClient(settings, settings.endpoint, options);
  const { publicEndpoint } = settings;
  const publicClient =
    publicEndpoint === undefined ? client : createClient(settings, publicEndpoint, options);
  const Bucket = settings.bucket;
  const at = (key: string): { Bucket: string; Key: string } => ({ Bucket, Key: key });
  const inUpload = ({ key, uploadId }: MultipartUpload) => ({ ...at(key), UploadId: uploadId });

  return {
    async put(key, body, { ifAbsent, contentType, metadata } = {}) {
      try {
        await client.send(
          new PutObjectCommand({
            ...at(key),
            Body: body,
            ContentType: contentType,
            Metadata: metadata,
            ...(ifAbsent ? { IfNoneMatch: '*' } : {}),
          }),
        );
        return 'put';
      } catch (error) {
        if (ifAbsent && s3Answer(error) === 'exists') return 'exists';
        throw s3Failure(error);
      }
    },

    async head(key) {
      try {
        const head = await client.send(new HeadObjectCommand(at(key)));
        return {
          bytes: head.ContentLength ?? 0,
          metadata: head.Metadata ?? {},
          modifiedAt: head.LastModified ?? new Date(0),
        };
      } catch (error) {
        if (s3Answer(error) === 'absent') return undefined;
        throw s3Failure(error);
      }
    },

    async readText(key) {
      try {
        const { Body } = await client.send(new GetObjectCommand(at(key)));
        return await Body?.transformToString();
      } catch (error) {
        if (s3Answer(error) === 'absent') return undefined;
        throw s3Failure(error);
      }
    },

    async readRange(source, range, into, signal) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          const { Body } = await client.send(
            new GetObjectCommand({ ...at(source.key), IfMatch: source.etag, Range: rangeText(range) }),
            { abortSignal: signal },
          );
          return await collect(Body as Readable, into.subarray(0, range.end - range.start + 1), signal);
        } catch (error) {
          const answer = s3Answer(error);
          if (answer === 'absent' || answer === 'exists') throw new SourceChanged(source.key);
          const failure = s3Failure(error);
          // The SDK repeats requests, but no answer that broke off under way.
          const brokeOff = failure instanceof StoreFailure && failure.verdict === 'busy';
          if (!brokeOff || attempt === READ_ATTEMPTS_MAX || signal.aborted) throw failure;
        }
      }
    },

    async *list(prefix) {
      let token: string | undefined;
      do {
        const page = await client
          .send(new ListObjectsV2Command({ Bucket, Prefix: prefix, ContinuationToken: token }))
          .catch(rethrow);
        for (const { Key, ETag, Size, LastModified } of page.Contents ?? []) {
          if (Key === undefined) continue;
          yield { key: Key, etag: ETag ?? '', bytes: Size ?? 0, modifiedAt: LastModified ?? new Date(0) };
        }
        token = page.IsTruncated ? page.NextContinuationToken : undefined;
      } while (token !== undefined);
    },

    async *listUploads(prefix) {
      let marker: { KeyMarker?: string; UploadIdMarker?: string | undefined } | undefined = {};
      while (marker) {
        const page: ListMultipartUploadsCommandOutput = await client
          .send(new ListMultipartUploadsCommand({ Bucket, Prefix: prefix, ...marker }))
          .catch(rethrow);
        for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
          if (Key === undefined || UploadId === undefined || !Key.startsWith(prefix)) continue;
          yield { key: Key, uploadId: UploadId, begunAt: Initiated ?? new Date(0) };
        }
        marker =
          page.IsTruncated && page.NextKeyMarker !== undefined
            ? { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
            : undefined;
      }
    },

    async delete(keys) {
      for (const batch of batchesOf(keys, DELETE_BATCH_MAX)) {
        const Objects = batch.map((Key) => ({ Key }));
        const { Errors } = await client
          .send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }))
          .catch(rethrow);
        const [first] = Errors ?? [];
        if (first) throw new StoreFailure(first.Code === 'AccessDenied' ? 'denied' : 'busy', `${first.Code}`);
      }
    },

    async begin(key, { contentType, metadata } = {}) {
      const { UploadId } = await client
        .send(new CreateMultipartUploadCommand({ ...at(key), ContentType: contentType, Metadata: metadata }))
        .catch(rethrow);
      if (UploadId === undefined) throw new StoreFailure('busy', 'no upload id');
      return { key, uploadId: UploadId };
    },

    async send(upload, part, body, signal) {
      const sent = await client
        .send(new UploadPartCommand({ ...inUpload(upload), PartNumber: part, Body: body }), {
          abortSignal: signal,
        })
        .catch((error: unknown) => rethrowIn(upload, error));
      return { PartNumber: part, ETag: sent.ETag, ...checksumsOf(sent) };
    },

    async copy(upload, part, source, range, signal) {
      const { CopyPartResult } = await client
        .send(
          new UploadPartCopyCommand({
            ...inUpload(upload),
            PartNumber: part,
            CopySource: `${Bucket}/${source.key.split('/').map(encodeURIComponent).join('/')}`,
            CopySourceIfMatch: source.etag,
            // Nothing to choose from in an object that is copied whole.
            ...(range.end - range.start + 1 === source.bytes ? {} : { CopySourceRange: rangeText(range) }),
          }),
          { abortSignal: signal },
        )
        .catch((error: unknown) => {
          const answer = s3Answer(error);
          if (answer === 'absent' || answer === 'exists') throw new SourceChanged(source.key);
          return rethrowIn(upload, error);
        });
      if (CopyPartResult?.ETag === undefined) throw new StoreFailure('busy', 'a copy without an ETag');
      return { PartNumber: part, ETag: CopyPartResult.ETag, ...checksumsOf(CopyPartResult) };
    },

    async complete(upload, parts, { ifAbsent } = {}) {
      try {
        await client.send(
          new CompleteMultipartUploadCommand({
            ...inUpload(upload),
            MultipartUpload: { Parts: [...parts] },
            ...(ifAbsent ? { IfNoneMatch: '*' } : {}),
          }),
        );
        return 'completed';
      } catch (error) {
        if (ifAbsent && s3Answer(error) === 'exists') return 'exists';
        return rethrowIn(upload, error);
      }
    },

    async abandon(upload) {
      await client.send(new AbortMultipartUploadCommand(inUpload(upload))).catch((error: unknown) => {
        if (s3Answer(error) === undefined) throw s3Failure(error);
      });
    },

    async presign(key, { expiresInSeconds, contentType, contentDisposition }) {
      const command = new GetObjectCommand({
        ...at(key),
        ResponseContentType: contentType,
        ResponseContentDisposition: contentDisposition,
        // Its digest is of these very bytes: nobody on the way may encode them.
        ResponseCacheControl: 'private, no-transform',
      });
      return getSignedUrl(publicClient, command, { expiresIn: expiresInSeconds }).catch(rethrow);
    },
  };
}

function createClient(
  { region, credentials, forcePathStyle }: S3Settings,
  endpoint: string | undefined,
  { lookup }: BucketOptions,
): S3Client {
  const agent = { keepAlive: true, maxSockets: SOCKETS_MAX, ...(lookup ? { lookup } : {}) };
  return new S3Client({
    region,
    forcePathStyle,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials ? { credentials } : {}),
    retryMode: 'standard',
    // Waiting for leave to send takes the SDK to connections of another kind: new for each part, without a cap.
    expectContinueHeader: false,
    maxAttempts: ATTEMPTS_MAX,
    // Ranges have no checksum to compare; the SHA-256 over all of them is ours.
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: SILENCE_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      throwOnRequestTimeout: true,
      httpAgent: agent,
      httpsAgent: agent,
    },
  });
}

/** Fills `whole` from the body, which must be just as long. */
async function collect(body: Readable, whole: Buffer, signal: AbortSignal): Promise<Buffer> {
  let filled = 0;
  const stop = (): void => void body.destroy(signal.reason as Error);
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      if (filled + chunk.length > whole.length)
        throw new StoreFailure('busy', 'more bytes than were asked for');
      filled += chunk.copy(whole, filled);
    }
  } finally {
    signal.removeEventListener('abort', stop);
  }
  if (filled !== whole.length) throw new StoreFailure('busy', 'fewer bytes than were asked for');
  return whole;
}

function rangeText({ start, end }: ByteRange): string {
  return `bytes=${start}-${end}`;
}

function checksumsOf(part: CompletedPart): Pick<CompletedPart, 'ChecksumCRC32' | 'ChecksumCRC64NVME'> {
  const { ChecksumCRC32, ChecksumCRC64NVME } = part;
  return { ...(ChecksumCRC32 && { ChecksumCRC32 }), ...(ChecksumCRC64NVME && { ChecksumCRC64NVME }) };
}

function rethrow(error: unknown): never {
  throw s3Failure(error);
}

function rethrowIn({ key }: MultipartUpload, error: unknown): never {
  throw s3Answer(error) === 'upload-gone' ? new MultipartGone(key) : s3Failure(error);
}
