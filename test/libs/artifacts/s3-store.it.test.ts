import { createHash, randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  GetBucketLifecycleConfigurationCommand,
  GetObjectAttributesCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutBucketLifecycleConfigurationCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { StoreFailure, UploadAborted } from '../../../libs/artifacts/artifact-store.js';
import { assemble } from '../../../libs/artifacts/s3-assemble.js';
import { planAssembly } from '../../../libs/artifacts/s3-assembly.js';
import {
  openBucket,
  SourceChanged,
  type Bucket,
  type ListedObject,
} from '../../../libs/artifacts/s3-bucket.js';
import { createS3Store, type S3StoreOptions } from '../../../libs/artifacts/s3-store.js';
import type { S3Settings } from '../../../libs/config/settings.js';
import { startS3Proxy } from '../../support/s3-proxy.js';
import { S3_DOMAIN, s3Missing, startTestS3, type TestS3 } from '../../support/s3.js';
import {
  describeArtifactStore,
  FILE,
  KEY,
  LOCATION,
  never,
  write,
  type StoreUnderTest,
} from './artifact-store.suite.js';

const MIB = 1 << 20;
const TOMBSTONE_TEXT = 'aborted\n';
const missing = await s3Missing();

describe.skipIf(missing !== undefined)(`in S3${missing ? `: ${missing}` : ''}`, () => {
  let s3: TestS3;
  beforeAll(async () => {
    s3 = await startTestS3();
  });
  afterAll(() => s3.close());

  interface InBucket extends StoreUnderTest {
    readonly settings: S3Settings;
    /** Every object's key, without the prefix. */
    readonly objects: () => Promise<string[]>;
    /** Keys of multipart uploads that are under way. */
    readonly multiparts: () => Promise<string[]>;
  }

  function open(settings?: Partial<S3Settings>, options?: S3StoreOptions): InBucket {
    const bucket = s3.settings(settings);
    const store = createS3Store(bucket, options);
    const { prefix } = bucket;
    const list = async (): Promise<{ key: string; bytes: number }[]> => {
      const { Contents } = await s3.client.send(
        new ListObjectsV2Command({ Bucket: bucket.bucket, Prefix: prefix }),
      );
      return (Contents ?? []).map(({ Key = '', Size = 0 }) => ({
        key: Key.slice(prefix.length),
        bytes: Size,
      }));
    };
    const multiparts = async (): Promise<string[]> => {
      const { Uploads } = await s3.client.send(
        new ListMultipartUploadsCommand({ Bucket: bucket.bucket, Prefix: prefix }),
      );
      return (Uploads ?? []).map(({ Key = '' }) => Key.slice(prefix.length));
    };
    const objects = async (): Promise<string[]> => (await list()).map(({ key }) => key);
    return {
      store,
      settings: bucket,
      objects,
      multiparts,
      async served(location) {
        const url = await store.signedUrl({ location, ...FILE }, new Date(Date.now() + 60_000));
        const response = await fetch(url);
        return response.ok ? Buffer.from(await response.arrayBuffer()) : undefined;
      },
      async published() {
        const files = (await list()).filter(({ key }) => key.startsWith('files/'));
        return files
          .filter(({ bytes }) => bytes !== TOMBSTONE_TEXT.length)
          .map(({ key }) => key.slice('files/'.length));
      },
      async uploads() {
        const keys = [...(await objects()), ...(await multiparts())];
        return [...new Set(keys.flatMap((key) => /^uploads\/([^/]+)\//.exec(key)?.[1] ?? []))];
      },
      async parts() {
        const keys = [...(await objects()), ...(await multiparts())];
        return keys.filter((key) => key.includes('/part-'));
      },
      async moment() {
        // Its clock shows whole seconds, rounded down.
        const second = Math.floor(Date.now() / 1_000) * 1_000 + 1_000;
        await sleep(second - Date.now() + 5);
        const now = Date.now();
        await sleep(second + 1_005 - Date.now());
        return now;
      },
    };
  }

  describeArtifactStore(async () => open(), 12);

  const random = (bytes: number): Buffer => randomBytes(bytes);
  const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

  async function partSizes({ settings }: InBucket): Promise<number[]> {
    const { ObjectParts } = await s3.client.send(
      new GetObjectAttributesCommand({
        Bucket: settings.bucket,
        Key: `${settings.prefix}files/${LOCATION}`,
        ObjectAttributes: ['ObjectParts'],
      }),
    );
    return (ObjectParts?.Parts ?? []).map(({ Size = 0 }) => Size);
  }

  describe('a file', () => {
    test.each([
      ['many small parts', Array.from({ length: 40 }, () => 700_000)],
      ['large parts between small ones', [1_000, 20 * MIB, 300, 0, 12 * MIB, 5 * MIB, 4 * MIB, 17]],
      ['parts just at the limit', [5 * MIB, 5 * MIB - 1, 5 * MIB + 1, 1]],
      ['one large part', [33 * MIB]],
    ])('of %s has no S3 part below 5 MiB but the last', async (_, lengths) => {
      const bench = open();
      const contents = lengths.map(random);
      await write(bench.store, KEY, contents);
      const whole = Buffer.concat(contents);
      expect(await bench.store.publish(KEY, { parts: lengths.length, ...FILE })).toEqual({
        location: LOCATION,
        bytes: whole.length,
        sha256: sha256(whole),
      });
      const sizes = await partSizes(bench);
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(whole.length);
      expect(Math.min(...sizes.slice(0, -1), Infinity)).toBeGreaterThanOrEqual(5 * MIB);
      expect((await bench.served(LOCATION))?.equals(whole)).toBe(true);
      const [manifest = '', ...rest] = (await bench.objects()).filter((key) => !key.startsWith('files/'));
      expect(manifest).toMatch(`manifests/${LOCATION}/`);
      expect([...rest, ...(await bench.multiparts())]).toEqual([]);
    });

    test('is served under its name and type, until the URL ends, and for a week at most', async () => {
      const { store } = open();
      await write(store, KEY, ['a,b\n']);
      await store.publish(KEY, { parts: 1, ...FILE });
      const name = {
        location: LOCATION,
        filename: 'Umsätze "Q1".csv',
        contentType: 'text/csv; charset=utf-8',
      };
      const url = await store.signedUrl(name, new Date(Date.now() + 90_000));
      const response = await fetch(url);
      expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8');
      expect(response.headers.get('content-disposition')).toBe(
        `attachment; filename="Ums_tze _Q1_.csv"; filename*=UTF-8''Ums%C3%A4tze%20%22Q1%22.csv`,
      );
      expect(await response.text()).toBe('a,b\n');
      const expires = (text: string) => Number(new URL(text).searchParams.get('X-Amz-Expires'));
      expect(expires(url)).toBeGreaterThan(80);
      expect(expires(url)).toBeLessThanOrEqual(90);
      const long = await store.signedUrl(name, new Date(Date.now() + 30 * 86_400_000));
      expect(expires(long)).toBe(7 * 86_400);
      const forged = new URL(url);
      forged.searchParams.set('response-content-type', 'text/html');
      expect((await fetch(forged)).status).toBe(403);
    });

    test('is reached under another address where that is said', async () => {
      const { store } = open({ publicEndpoint: 'https://files.example' });
      const url = await store.signedUrl({ location: LOCATION, ...FILE }, new Date(Date.now() + 60_000));
      expect(url).toMatch(/^https:\/\/files\.example\/artifacts\/test-\d+\/files\//);
    });

    test('goes by the bucket’s own host name where path style is off', async () => {
      const lookup: S3StoreOptions['lookup'] = (_, options, done) => {
        if (options.all) done(null, [{ address: '127.0.0.1', family: 4 }]);
        else done(null, '127.0.0.1', 4);
      };
      const endpoint = `http://${S3_DOMAIN}:${s3.port}`;
      const { store, settings, objects } = open({ endpoint, forcePathStyle: false }, { lookup });
      await write(store, KEY, [random(6 * MIB), 'tail']);
      await store.publish(KEY, { parts: 2, ...FILE });
      expect(await objects()).toContain(`files/${LOCATION}`);
      const url = new URL(
        await store.signedUrl({ location: LOCATION, ...FILE }, new Date(Date.now() + 60_000)),
      );
      expect(url.host).toBe(`${settings.bucket}.${S3_DOMAIN}:${s3.port}`);
      const received = await new Promise<number>((resolve, reject) => {
        request(url, { lookup }, (response) => {
          let bytes = 0;
          response.on('data', (chunk: Buffer) => (bytes += chunk.length));
          response.on('end', () => resolve(bytes));
        })
          .on('error', reject)
          .end();
      });
      expect(received).toBe(6 * MIB + 4);
    });
  });

  describe('a stale writer', () => {
    test('that replaces a part while it is published spoils nothing', async () => {
      const { store, served } = open();
      await write(store, KEY, [random(6 * MIB), random(6 * MIB), random(6 * MIB)]);
      let replaced: Promise<unknown> | undefined;
      const published = await store.publish(KEY, {
        parts: 3,
        ...FILE,
        onBytes: () => {
          replaced ??= store
            .writePart(KEY, 2, Readable.from([random(7 * MIB)]), never)
            .catch((error: unknown) => expect(error).toBeInstanceOf(UploadAborted));
        },
      });
      await replaced;
      const whole = (await served(LOCATION)) ?? Buffer.alloc(0);
      expect({ bytes: whole.length, sha256: sha256(whole) }).toEqual({
        bytes: published.bytes,
        sha256: published.sha256,
      });
    });
  });

  describe('a part that is replaced under its publisher', () => {
    async function assembling(
      change: (bucket: Bucket, replace: () => Promise<void>) => Partial<Bucket>,
    ): Promise<unknown> {
      const { store, settings } = open();
      const contents = [random(6 * MIB), random(6 * MIB)];
      await write(store, KEY, contents);
      const bucket = openBucket(settings);
      const sources: ListedObject[] = [];
      for await (const object of bucket.list(`${settings.prefix}uploads/${LOCATION}/part-`))
        sources.push(object);
      let replaced: Promise<unknown> | undefined;
      const replace = async (): Promise<void> => {
        replaced ??= store.writePart(KEY, 1, Readable.from([random(6 * MIB)]), never);
        await replaced;
      };
      const upload = await bucket.begin(`${settings.prefix}files/${LOCATION}`);
      const plan = planAssembly(sources.map(({ bytes }) => bytes));
      expect(plan.map(({ how }) => how)).toEqual(['copy', 'copy']);
      const options = { signal: never, onBytes: () => undefined };
      const changed = { ...bucket, ...change(bucket, replace) };
      return assemble(changed, upload, sources, plan, options).catch((error: unknown) => error);
    }

    test('is not copied as it is now', async () => {
      const outcome = await assembling((bucket, replace) => ({
        async copy(upload, part, ...rest) {
          if (part === 2) await replace();
          return bucket.copy(upload, part, ...rest);
        },
        // Whatever is read was read before.
        readRange: async (_, { start, end }, into) => into.subarray(0, end - start + 1),
      }));
      expect(outcome).toBeInstanceOf(SourceChanged);
    });

    test('is not read as it is now', async () => {
      const outcome = await assembling((bucket, replace) => ({
        copy: async (_, part) => ({ PartNumber: part }),
        async readRange(source, ...rest) {
          if (source.key.endsWith('1')) await replace();
          return bucket.readRange(source, ...rest);
        },
      }));
      expect(outcome).toBeInstanceOf(SourceChanged);
    });
  });

  test('a tombstone is forgotten when no writer can be about any more', async () => {
    let now = Date.now();
    const { store, objects } = open({}, { now: () => now });
    await store.abortUpload(KEY);
    const sweep = { olderThanMs: -2_000, isLive: async () => new Set<string>() };
    await store.sweep(sweep);
    expect(await objects()).toEqual([`files/${LOCATION}`]);
    now += 14 * 86_400_000 + 5_000;
    await store.sweep(sweep);
    expect(await objects()).toEqual([]);
  });

  test.each([
    ['small', [1_000, 2_000]],
    ['large', [9 * MIB, 1_000, 6 * MIB]],
  ])('answers that are lost change nothing: %s', async (_, lengths) => {
    // Every first request of its kind is carried out, and its answer never heard.
    const proxy = await startS3Proxy(
      s3.port,
      (name, answered) => answered.filter((other) => other === name).length === 1,
    );
    try {
      const bench = open();
      const store = createS3Store({ ...bench.settings, endpoint: proxy.endpoint });
      const contents = lengths.map(random);
      await write(store, KEY, contents);
      const whole = Buffer.concat(contents);
      expect(await store.publish(KEY, { parts: lengths.length, ...FILE })).toMatchObject({
        bytes: whole.length,
        sha256: sha256(whole),
      });
      expect((await bench.served(LOCATION))?.equals(whole)).toBe(true);
      expect(await bench.uploads()).toEqual([]);
      expect(await bench.multiparts()).toEqual([]);
      const repeated = new Set(proxy.answered).size;
      expect(proxy.answered.length).toBeGreaterThanOrEqual(2 * repeated - 2);
      expect(await store.abortUpload(KEY)).toBe('absent');
      expect(await store.findPublished(KEY)).toMatchObject({ bytes: whole.length });
    } finally {
      await proxy.close();
    }
  });

  describe('a failure', () => {
    const verdictOf = (settings: Partial<S3Settings>) => async (): Promise<unknown> => {
      const store = createS3Store(s3.settings(settings));
      return store.openUpload(KEY).then(
        () => 'none',
        (error: unknown) => (error instanceof StoreFailure ? error.verdict : error),
      );
    };
    test('of rights is the operator’s', async () => {
      const credentials = { accessKeyId: 'longhaul-test', secretAccessKey: 'wrong' };
      expect(await verdictOf({ credentials })()).toBe('denied');
    });
    test('to reach the server may pass', async () => {
      expect(await verdictOf({ endpoint: 'http://127.0.0.1:9' })()).toBe('busy');
    });
  });

  test('the lifecycle rule of the documentation is one the server takes', async () => {
    const { settings } = open();
    const { readFile } = await import('node:fs/promises');
    const rule = JSON.parse(await readFile('deploy/s3/lifecycle.json', 'utf8')) as never;
    const Bucket = settings.bucket;
    await s3.client.send(
      new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: rule }),
    );
    const { Rules } = await s3.client.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
    expect(Rules?.[0]?.AbortIncompleteMultipartUpload?.DaysAfterInitiation).toBe(1);
  });
});
