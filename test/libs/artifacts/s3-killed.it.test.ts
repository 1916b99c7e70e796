/** A process killed with SIGKILL after any of its requests, or in the middle of a body: the sweeper finds whatever it left, and a repeat goes well. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createS3Store } from '../../../libs/artifacts/s3-store.js';
import type { S3Settings } from '../../../libs/config/settings.js';
import { startS3Proxy } from '../../support/s3-proxy.js';
import { s3Missing, startTestS3, type TestS3 } from '../../support/s3.js';
import { FILE, KEY, LOCATION, never } from './artifact-store.suite.js';

const missing = await s3Missing();
const STORE = fileURLToPath(new URL('../../../dist/libs/artifacts/s3-store.js', import.meta.url));
/** Two parts, the first sent in two pieces and copied by the server, the second joined; then published or aborted. */
const LENGTHS = [9 << 20, 1_000];
const KILLED_AT_ONCE = 3;
const REQUESTS_MAX = 60;
/** The server's clock shows whole seconds. */
const EVERYTHING_IS_OLD = { olderThanMs: -2_000 };

const WRITER = `
  import { Readable } from 'node:stream';
  const [, store, settings, lengths, ending] = process.argv;
  const { createS3Store } = await import(store);
  const artifacts = createS3Store(JSON.parse(settings));
  await artifacts.openUpload('${KEY}');
  for (const [part, length] of JSON.parse(lengths).entries()) {
    await artifacts.writePart('${KEY}', part, Readable.from([Buffer.alloc(length, part + 1)]), new AbortController().signal);
  }
  if (ending === 'abort') await artifacts.abortUpload('${KEY}');
  else await artifacts.publish('${KEY}', ${JSON.stringify({ parts: LENGTHS.length, ...FILE })});
`;

describe.skipIf(missing !== undefined)(`killed at S3${missing ? `: ${missing}` : ''}`, () => {
  let s3: TestS3;
  beforeAll(async () => {
    s3 = await startTestS3();
  });
  afterAll(() => s3.close());

  /** After so many requests, or when so many bytes of the body of the request of that name have passed. */
  type Moment = number | { readonly request: string; readonly bytes: number };

  /** Runs the writer and kills it then; says what it had done, and whether it was killed. */
  async function runKilled(
    settings: S3Settings,
    ending: string,
    moment: Moment,
  ): Promise<{ killed: boolean; requests: string[] }> {
    let kill = (): void => undefined;
    const proxy = await startS3Proxy(
      s3.port,
      (_, { length }) => {
        if (length === moment) kill();
        return typeof moment === 'number' && length >= moment;
      },
      (request, bytes) => {
        if (typeof moment === 'object' && request === moment.request && bytes >= moment.bytes) kill();
      },
    );
    const args = ['--input-type=module', '-e', WRITER, STORE];
    const own = JSON.stringify({ ...settings, endpoint: proxy.endpoint });
    const child = spawn(process.execPath, [...args, own, JSON.stringify(LENGTHS), ending], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    kill = () => void child.kill('SIGKILL');
    const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
      child.once('exit', (...how) => resolve(how)),
    );
    await proxy.close();
    if (signal !== 'SIGKILL') expect(code).toBe(0);
    return { killed: signal === 'SIGKILL', requests: proxy.answered };
  }

  async function leftIn({ bucket, prefix }: S3Settings): Promise<string[]> {
    const page = { Bucket: bucket, Prefix: prefix };
    const { Contents = [] } = await s3.client.send(new ListObjectsV2Command(page));
    const { Uploads = [] } = await s3.client.send(new ListMultipartUploadsCommand(page));
    return [...Contents, ...Uploads.map(({ Key }) => ({ Key: `multipart ${Key}` }))].map(({ Key = '' }) =>
      Key.replace(prefix, ''),
    );
  }

  async function leavesNothing(settings: S3Settings, said: string): Promise<void> {
    const store = createS3Store(settings);
    await store.sweep({ ...EVERYTHING_IS_OLD, isLive: async () => new Set() });
    const left = await leftIn(settings);
    // At most a tombstone; a file that was published is nobody's, and gone.
    expect(
      left.filter((key) => key !== `files/${LOCATION}`),
      said,
    ).toEqual([]);
    if (left.length > 0) expect(await store.findPublished(KEY), said).toBeUndefined();
  }

  /** Kills after the first request, and one later (or `step`), and so on, until it comes to its end; `check` looks at each. */
  async function killEverywhere(
    ending: string,
    check: (settings: S3Settings, said: string) => Promise<void>,
    step = 1,
  ): Promise<string[]> {
    let next = 1;
    let last: string[] = [];
    let ended = false;
    const lane = async (): Promise<void> => {
      while (!ended && next <= REQUESTS_MAX) {
        const after = next;
        next += step;
        const settings = s3.settings();
        const { killed, requests } = await runKilled(settings, ending, after);
        await check(settings, `killed after ${requests.join(', ')}`);
        if (!killed) [ended, last] = [true, requests];
      }
    };
    await Promise.all(Array.from({ length: KILLED_AT_ONCE }, lane));
    expect(ended).toBe(true);
    return last;
  }

  test('a writer and publisher leaves nothing the sweeper does not find', async () => {
    const requests = await killEverywhere('publish', leavesNothing);
    expect(requests).toEqual(
      expect.arrayContaining([
        'POST part-00000?uploads',
        `POST ${LOCATION}?uploads`,
        `POST ${LOCATION}?uploadId`,
      ]),
    );
  }, 120_000);

  test.each([
    ['a piece of a large part', 'PUT part-00000?partNumber&uploadId', 3 << 20],
    ['a small part', 'PUT part-00001?partNumber&uploadId', 1],
    ['what is joined while it is published', `PUT ${LOCATION}?partNumber&uploadId`, 500],
  ])(
    'in the middle of sending %s it leaves nothing either',
    async (_, request, bytes) => {
      const settings = s3.settings();
      const { killed, requests } = await runKilled(settings, 'publish', { request, bytes });
      expect(killed).toBe(true);
      await leavesNothing(settings, `killed after ${requests.join(', ')}`);
    },
    60_000,
  );

  test('one that is repeated publishes the same file, and the sweeper leaves only that', async () => {
    const hash = createHash('sha256');
    for (const [part, length] of LENGTHS.entries()) hash.update(Buffer.alloc(length, part + 1));
    const sha256 = hash.digest('hex');
    await killEverywhere(
      'publish',
      async (settings, said) => {
        const store = createS3Store(settings);
        const published = (await store.findPublished(KEY)) ?? (await repeat(settings));
        expect(published.sha256, said).toBe(sha256);
        await store.sweep({ ...EVERYTHING_IS_OLD, isLive: async (asked) => new Set(asked) });
        const left = await leftIn(settings);
        expect(
          left.filter((key) => !key.startsWith(`manifests/${LOCATION}/`)),
          said,
        ).toEqual([`files/${LOCATION}`]);
      },
      3,
    );

    async function repeat(settings: S3Settings) {
      const store = createS3Store(settings);
      await store.openUpload(KEY);
      for (const [part, length] of LENGTHS.entries())
        await store.writePart(KEY, part, Readable.from([Buffer.alloc(length, part + 1)]), never);
      return store.publish(KEY, { parts: LENGTHS.length, ...FILE });
    }
  }, 120_000);

  test('an abort is finished by its repeat', async () => {
    await killEverywhere(
      'abort',
      async (settings, said) => {
        const store = createS3Store(settings);
        await store.abortUpload(KEY);
        expect(await leftIn(settings), said).toEqual([`files/${LOCATION}`]);
        await expect(store.openUpload(KEY)).rejects.toThrow('closed');
      },
      2,
    );
  }, 120_000);
});
