/** What every artifact store must do, whatever is behind it. */
import { createHash } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PartMissing, UploadAborted, type ArtifactStore } from '../../../libs/artifacts/artifact-store.js';

export const KEY = '0190b2f0-0000-7000-8000-000000000000/0';
export const LOCATION = '0190b2f0-0000-7000-8000-000000000000.0';
export const FILE = { filename: 'a.csv', contentType: 'text/csv' };
export const never = new AbortController().signal;

export interface StoreUnderTest {
  readonly store: ArtifactStore;
  /** The file as it is served. */
  readonly served: (location: string) => Promise<Buffer | undefined>;
  /** Locations that have a published file. */
  readonly published: () => Promise<string[]>;
  /** Locations something is kept for that is no published file and no tombstone: marks, parts, half-written ones. */
  readonly uploads: () => Promise<string[]>;
  /** Parts, whole or half-written, of all uploads. */
  readonly parts: () => Promise<string[]>;
  /** A moment after everything written so far and before everything written from now on, by the store's clock. */
  readonly moment: () => Promise<number>;
}

export async function write(
  store: ArtifactStore,
  key: string,
  parts: readonly (string | Buffer)[],
): Promise<void> {
  await store.openUpload(key);
  for (const [part, content] of parts.entries()) {
    await store.writePart(key, part, Readable.from([content], { objectMode: false }), never);
  }
}

export const randomKey = (): string => `job-${Math.random().toString(36).slice(2)}/0`;
const locationOf = (key: string): string => key.replace('/', '.');
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** `setup` answers an empty store; it is called once for each test. `runs`: of a property. */
export function describeArtifactStore(setup: () => Promise<StoreUnderTest>, runs: number): void {
  describe('publishing', () => {
    test('serves the parts as one file, with the checksum of what is served', async () => {
      const { store, served } = await setup();
      await write(store, KEY, ['a,b\n', '', '1,2\n3,4\n']);
      const published = await store.publish(KEY, { parts: 3, ...FILE });
      const bytes = Buffer.from('a,b\n1,2\n3,4\n');
      expect(published).toEqual({ location: LOCATION, bytes: bytes.length, sha256: sha256(bytes) });
      expect(await served(LOCATION)).toEqual(bytes);
    });

    test('is done once: a repeat finds it, and finding it does not make it', async () => {
      const { store } = await setup();
      expect(await store.findPublished(KEY)).toBeUndefined();
      await write(store, KEY, ['x']);
      expect(await store.findPublished(KEY)).toBeUndefined();
      const first = await store.publish(KEY, { parts: 1, ...FILE });
      expect(await store.publish(KEY, { parts: 1, ...FILE })).toEqual(first);
      expect(await store.findPublished(KEY)).toEqual(first);
    });

    test.each([
      ['small', 3_000_000],
      ['large', 9_000_000],
    ])('of two at once, both answer the same: %s', async (_, length) => {
      const { store, served, uploads } = await setup();
      await write(store, KEY, ['x'.repeat(length), 'y']);
      const [first, second] = await Promise.all([
        store.publish(KEY, { parts: 2, ...FILE }),
        store.publish(KEY, { parts: 2, ...FILE }),
      ]);
      expect(first).toEqual(second);
      expect(await store.findPublished(KEY)).toEqual(first);
      expect(await served(LOCATION)).toHaveLength(length + 1);
      expect(await uploads()).toEqual([]);
    });

    test('serves nothing while a part is missing', async () => {
      const { store, served } = await setup();
      await write(store, KEY, ['x']);
      await expect(store.publish(KEY, { parts: 2, ...FILE })).rejects.toThrow(PartMissing);
      expect(await served(LOCATION)).toBeUndefined();
    });

    test('of nothing that was opened is refused', async () => {
      const { store } = await setup();
      await expect(store.publish(KEY, { parts: 1, ...FILE })).rejects.toThrow(UploadAborted);
    });

    test('leaves no part behind', async () => {
      const { store, uploads, published } = await setup();
      await write(store, KEY, ['x', 'y']);
      await store.writePart(KEY, 7, Readable.from(['one too many']), never);
      await store.publish(KEY, { parts: 2, ...FILE });
      expect(await uploads()).toEqual([]);
      expect(await published()).toEqual([LOCATION]);
    });

    test('reports what it has checked', async () => {
      const { store } = await setup();
      await write(store, KEY, ['x'.repeat(10), 'y'.repeat(5)]);
      const seen: number[] = [];
      await store.publish(KEY, { parts: 2, ...FILE, onBytes: (bytes) => seen.push(bytes) });
      expect(seen.at(-1)).toBe(15);
      expect(seen).toEqual([...seen].sort((a, b) => a - b));
    });

    test('stops on the signal, with nothing published', async () => {
      const { store } = await setup();
      await write(store, KEY, ['x'.repeat(9_000_000)]);
      const signal = AbortSignal.abort(new Error('told to stop'));
      await expect(store.publish(KEY, { parts: 1, ...FILE, signal })).rejects.toThrow('told to stop');
      expect(await store.findPublished(KEY)).toBeUndefined();
      expect(await store.publish(KEY, { parts: 1, ...FILE })).toMatchObject({ bytes: 9_000_000 });
    });

    test('closes the upload', async () => {
      const { store, served } = await setup();
      await write(store, KEY, ['x']);
      await store.publish(KEY, { parts: 1, ...FILE });
      await expect(store.openUpload(KEY)).rejects.toThrow(UploadAborted);
      await expect(store.writePart(KEY, 0, Readable.from(['z']), never)).rejects.toThrow(UploadAborted);
      expect(await store.abortUpload(KEY)).toBe('absent');
      expect(await served(LOCATION)).toEqual(Buffer.from('x'));
    });

    test('of an empty file has no bytes', async () => {
      const { store, served } = await setup();
      await write(store, KEY, ['']);
      expect(await store.publish(KEY, { parts: 1, ...FILE })).toMatchObject({ bytes: 0 });
      expect(await served(LOCATION)).toEqual(Buffer.alloc(0));
    });
  });

  describe('reading how a part ends', () => {
    test('answers its last bytes, or all there are, and its length', async () => {
      const { store } = await setup();
      await write(store, KEY, ['abcdef', '']);
      const read = async (part: number, bytesMax: number) => {
        const { end, bytes } = await store.readPartEnd(KEY, part, bytesMax, never);
        return [end.toString(), bytes];
      };
      expect(await read(0, 2)).toEqual(['ef', 6]);
      expect(await read(0, 6)).toEqual(['abcdef', 6]);
      expect(await read(0, 100)).toEqual(['abcdef', 6]);
      expect(await read(1, 100)).toEqual(['', 0]);
      await store.writePart(KEY, 0, Readable.from(['written again']), never);
      expect(await read(0, 5)).toEqual(['again', 13]);
    });

    test('tells a part that is not there from an upload that is closed', async () => {
      const { store } = await setup();
      await write(store, KEY, ['abc']);
      const read = async (part: number) => store.readPartEnd(KEY, part, 8, never);
      await expect(read(1)).rejects.toThrow(PartMissing);
      await store.publish(KEY, { parts: 1, ...FILE });
      await expect(read(0)).rejects.toThrow(UploadAborted);
      const other = randomKey();
      await write(store, other, ['abc']);
      await store.abortUpload(other);
      await expect(store.readPartEnd(other, 0, 8, never)).rejects.toThrow(UploadAborted);
    });
  });

  describe('writing a part', () => {
    test('replaces an earlier attempt whole', async () => {
      const { store, served } = await setup();
      await write(store, KEY, ['first attempt, longer']);
      await store.writePart(KEY, 0, Readable.from(['second']), never);
      await store.publish(KEY, { parts: 1, ...FILE });
      expect(await served(LOCATION)).toEqual(Buffer.from('second'));
    });

    test('keeps the earlier one when the source breaks off', async () => {
      const { store, served, parts } = await setup();
      await write(store, KEY, ['whole']);
      const before = await parts();
      const broken = Readable.from(
        (async function* () {
          yield Buffer.from('half');
          throw new Error('connection lost');
        })(),
      );
      await expect(store.writePart(KEY, 0, broken, never)).rejects.toThrow('connection lost');
      expect(await parts()).toEqual(before);
      expect(before).toHaveLength(1);
      await store.publish(KEY, { parts: 1, ...FILE });
      expect(await served(LOCATION)).toEqual(Buffer.from('whole'));
    });

    test('gives a chunk back only when it has no more use for it', async () => {
      const { store, served } = await setup();
      const chunks = Array.from({ length: 20 }, (_, index) => Buffer.alloc(100_000, 97 + index));
      const whole = Buffer.concat(chunks);
      const source = Object.assign(Readable.from(chunks, { objectMode: false }), {
        takeBack: (chunk: Buffer) => chunk.fill(0),
      });
      await store.openUpload(KEY);
      expect(await store.writePart(KEY, 0, source, never)).toEqual({ bytes: whole.length });
      await store.publish(KEY, { parts: 1, ...FILE });
      expect((await served(LOCATION))?.equals(whole)).toBe(true);
    });

    test('minds a source that broke before it was read', async () => {
      const { store, parts } = await setup();
      await store.openUpload(KEY);
      const source = new PassThrough();
      const writing = store.writePart(KEY, 0, source, never);
      source.destroy(new Error('connection lost'));
      await expect(writing).rejects.toThrow('connection lost');
      expect(await parts()).toEqual([]);
    });

    test('stops on the signal, and leaves nothing half', async () => {
      const { store, parts } = await setup();
      await store.openUpload(KEY);
      const controller = new AbortController();
      const source = new PassThrough();
      source.write('half');
      const writing = store.writePart(KEY, 0, source, controller.signal);
      controller.abort();
      await expect(writing).rejects.toThrow('abort');
      expect(source.destroyed).toBe(true);
      expect(await parts()).toEqual([]);
    });

    test('needs an opened upload', async () => {
      const { store, parts } = await setup();
      await expect(store.writePart(KEY, 0, Readable.from(['x']), never)).rejects.toThrow(UploadAborted);
      expect(await parts()).toEqual([]);
    });

    test('goes on beside other parts', async () => {
      const { store, served } = await setup();
      await store.openUpload(KEY);
      const texts = Array.from({ length: 12 }, (_, part) => `part ${part};`);
      await Promise.all(
        texts.map(async (text, part) => {
          await store.openUpload(KEY);
          await store.writePart(KEY, part, Readable.from([text]), never);
        }),
      );
      await store.publish(KEY, { parts: 12, ...FILE });
      expect((await served(LOCATION))?.toString()).toBe(texts.join(''));
    });
  });

  describe('aborting', () => {
    test('drops every part and burns the key', async () => {
      const { store, uploads } = await setup();
      await write(store, KEY, ['x', 'y']);
      expect(await store.abortUpload(KEY)).toBe('aborted');
      expect(await uploads()).toEqual([]);
      await expect(store.openUpload(KEY)).rejects.toThrow(UploadAborted);
      await expect(store.writePart(KEY, 0, Readable.from(['x']), never)).rejects.toThrow(UploadAborted);
      await expect(store.publish(KEY, { parts: 2, ...FILE })).rejects.toThrow(UploadAborted);
      expect(await store.findPublished(KEY)).toBeUndefined();
      expect(await store.abortUpload(KEY)).toBe('absent');
      expect(await uploads()).toEqual([]);
    });

    test('of nothing is fine, and burns the key too', async () => {
      const { store } = await setup();
      expect(await store.abortUpload(KEY)).toBe('absent');
      await expect(store.openUpload(KEY)).rejects.toThrow(UploadAborted);
    });

    test('shuts out a writer that was already at it', async () => {
      const { store, uploads, parts } = await setup();
      await store.openUpload(KEY);
      const source = new PassThrough();
      const zombie = store.writePart(KEY, 0, source, never);
      source.write('late');
      await until(async () => (await parts()).length === 1);
      expect(await store.abortUpload(KEY)).toBe('aborted');
      source.end(' words');
      await expect(zombie).rejects.toThrow(UploadAborted);
      expect(await uploads()).toEqual([]);
    });

    test('leaves other uploads alone', async () => {
      const { store } = await setup();
      await write(store, KEY, ['x']);
      // Its name begins with the other's.
      const next = KEY.replace(/\/0$/, '/01');
      await write(store, next, ['y']);
      await store.abortUpload(KEY);
      expect(await store.publish(next, { parts: 1, ...FILE })).toMatchObject({ bytes: 1 });
    });

    test('races with opening, writing and publishing: whatever wins, nothing is left half', async () => {
      const { store, served, uploads } = await setup();
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.nat(3), { minLength: 3, maxLength: 3 }),
          fc.constantFrom(1, 5_500_000),
          async (delays, length) => {
            const key = randomKey();
            const text = 'x'.repeat(length);
            await write(store, key, [text]);
            const after = async <T>(ticks: number, work: () => Promise<T>): Promise<T> => {
              for (let i = 0; i < ticks * 4; i += 1) await new Promise((resolve) => setImmediate(resolve));
              return work();
            };
            const [published, aborted] = await Promise.allSettled([
              after(delays[0] ?? 0, () => store.publish(key, { parts: 1, ...FILE })),
              after(delays[1] ?? 0, () => store.abortUpload(key)),
              after(delays[2] ?? 0, async () => {
                await store.openUpload(key);
                await store.writePart(key, 0, Readable.from([text]), never);
              }),
            ]);
            const there = await store.findPublished(key);
            expect(aborted.status).toBe('fulfilled');
            if (published.status === 'fulfilled') expect(there).toEqual(published.value);
            else expect(published.reason).toBeInstanceOf(UploadAborted);
            if (there) expect((await served(there.location))?.equals(Buffer.from(text))).toBe(true);
            expect(await uploads()).not.toContain(locationOf(key));
          },
        ),
        { numRuns: runs },
      );
    });
  });

  describe('bytes that are there already', () => {
    test('are a file at once, and read whole within a limit', async () => {
      const { store, served, uploads } = await setup();
      const body = Buffer.from('the whole of it');
      const put = await store.put(KEY, body, FILE);
      expect(put).toEqual({ location: LOCATION, bytes: body.length, sha256: sha256(body) });
      expect(await served(LOCATION)).toEqual(body);
      expect(await uploads()).toEqual([]);
      expect(await store.readPublished(LOCATION, body.length, never)).toEqual(body);
      await expect(store.readPublished(LOCATION, 3, never)).rejects.toThrow(RangeError);
      expect(await store.readPublished('job-x.9', 3, never)).toBeUndefined();
    });

    test('of two at once, both answer the same; the first stays', async () => {
      const { store } = await setup();
      const [first, second] = await Promise.all([
        store.put(KEY, Buffer.from('x'), FILE),
        store.put(KEY, Buffer.from('x'), FILE),
      ]);
      expect(second).toEqual(first);
      expect(await store.put(KEY, Buffer.from('another'), FILE)).toEqual(first);
    });

    test('are refused under a burnt key', async () => {
      const { store, uploads } = await setup();
      await store.abortUpload(KEY);
      await expect(store.put(KEY, Buffer.from('x'), FILE)).rejects.toThrow(UploadAborted);
      expect(await uploads()).toEqual([]);
    });
  });

  describe('discarding', () => {
    test.each([
      ['small', 3],
      ['large', 6_000_000],
    ])('takes a %s published file away, and nobody publishes under its key again', async (_, length) => {
      const { store, published, uploads } = await setup();
      await write(store, KEY, ['x'.repeat(length)]);
      await store.publish(KEY, { parts: 1, ...FILE });
      expect(await store.discard(KEY)).toBe('discarded');
      expect(await store.readPublished(LOCATION, length, never)).toBeUndefined();
      expect(await published()).toEqual([]);
      expect(await uploads()).toEqual([]);
      await expect(store.put(KEY, Buffer.from('late'), FILE)).rejects.toThrow(UploadAborted);
      await expect(store.openUpload(KEY)).rejects.toThrow(UploadAborted);
      expect(await store.discard(KEY)).toBe('absent');
    });

    test('races with putting: what is answered as there is there, or was discarded', async () => {
      const { store } = await setup();
      await fc.assert(
        fc.asyncProperty(fc.nat(12), async (ticks) => {
          const key = randomKey();
          const discarding = async (): Promise<void> => {
            for (let i = 0; i < ticks; i += 1) await new Promise((resolve) => setImmediate(resolve));
            await store.discard(key);
          };
          await Promise.allSettled([store.put(key, Buffer.from('x'), FILE), discarding()]);
          expect(await store.findPublished(key)).toBeUndefined();
        }),
        { numRuns: runs },
      );
    });
  });

  test('takes no key for a path', async () => {
    const { store } = await setup();
    for (const key of ['../x', 'a/../b', '', '/', 'a//b', '..', 'a.b/0', 'a/b/c/d/e']) {
      await expect(store.openUpload(key)).rejects.toThrow('is not an upload key');
      await expect(store.abortUpload(key)).rejects.toThrow('is not an upload key');
    }
  });

  test('removes a published file, and minds nothing that is not there', async () => {
    const { store, served, published, uploads } = await setup();
    await write(store, KEY, ['x'.repeat(6_000_000)]);
    await store.publish(KEY, { parts: 1, ...FILE });
    await store.remove(LOCATION);
    await store.remove(LOCATION);
    await store.remove('../../etc');
    expect(await served(LOCATION)).toBeUndefined();
    expect(await store.findPublished(KEY)).toBeUndefined();
    expect(await published()).toEqual([]);
    expect(await uploads()).toEqual([]);
  });

  describe('sweeping', () => {
    const live =
      (...locations: string[]) =>
      async (asked: readonly string[]) =>
        new Set(asked.filter((location) => locations.includes(location)));

    test('drops old uploads and files nobody wants, and only those', async () => {
      const { store, uploads, published, moment } = await setup();
      for (const job of ['wanted', 'unwanted']) await write(store, `${job}/0`, ['x']);
      for (const [job, length] of Object.entries({ kept: 1, orphan: 1, 'orphan-large': 6_000_000 })) {
        await write(store, `${job}/0`, ['x'.repeat(length)]);
        await store.publish(`${job}/0`, { parts: 1, ...FILE });
      }
      await write(store, 'burnt/0', ['x']);
      await store.abortUpload('burnt/0');
      const before = await moment();
      await write(store, 'young/0', ['x']);
      const isLive = live('wanted.0', 'kept.0');
      const sweep = () => store.sweep({ olderThanMs: Date.now() - before, isLive });
      expect(await sweep()).toEqual({ uploads: 1, published: 2 });
      expect((await uploads()).sort()).toEqual(['wanted.0', 'young.0']);
      expect(await published()).toEqual(['kept.0']);
      for (const burnt of ['unwanted/0', 'burnt/0'])
        await expect(store.openUpload(burnt)).rejects.toThrow(UploadAborted);
      expect(await sweep()).toEqual({ uploads: 0, published: 0 });
    });

    test('asks for nothing where there is nothing', async () => {
      const { store } = await setup();
      const isLive = (): never => {
        throw new Error('asked for nothing');
      };
      expect(await store.sweep({ olderThanMs: 0, isLive })).toEqual({ uploads: 0, published: 0 });
    });
  });
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}
