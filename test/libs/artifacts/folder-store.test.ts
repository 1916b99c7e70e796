import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PartMissing, UploadAborted } from '../../../libs/artifacts/artifact-store.js';
import { createFolderStore, type FolderStore } from '../../../libs/artifacts/folder-store.js';

const KEY = '0190b2f0-0000-7000-8000-000000000000/0';
const LOCATION = '0190b2f0-0000-7000-8000-000000000000.0';
const FILE = { filename: 'a.csv', contentType: 'text/csv' };
const never = new AbortController().signal;

let root: string;
let store: FolderStore;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'longhaul-store-'));
  store = createFolderStore({ root, publicUrl: 'http://localhost', secret: Buffer.alloc(32) });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

async function write(key: string, parts: readonly (string | Buffer)[]): Promise<void> {
  await store.openUpload(key);
  for (const [part, content] of parts.entries()) {
    await store.writePart(key, part, Readable.from([content], { objectMode: false }), never);
  }
}

async function contentOf(
  location: string,
  range?: { start: number; end: number },
): Promise<Buffer | undefined> {
  const body = await store.read(location, range);
  if (!body) return undefined;
  const chunks: Buffer[] = [];
  for await (const chunk of body.stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const files = (): string[] =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath.slice(root.length + 1), entry.name));

describe('publishing', () => {
  test('serves the parts as one file, with the checksum of what is served', async () => {
    await write(KEY, ['a,b\n', '', '1,2\n3,4\n']);
    const published = await store.publish(KEY, { parts: 3, ...FILE });
    const bytes = Buffer.from('a,b\n1,2\n3,4\n');
    expect(published).toEqual({
      location: LOCATION,
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    });
    expect(await contentOf(LOCATION)).toEqual(bytes);
    expect(await store.head(LOCATION)).toEqual({ bytes: bytes.length, sha256: published.sha256 });
  });

  test('is done once: a repeat finds it, and finding it does not make it', async () => {
    expect(await store.findPublished(KEY)).toBeUndefined();
    await write(KEY, ['x']);
    expect(await store.findPublished(KEY)).toBeUndefined();
    const first = await store.publish(KEY, { parts: 1, ...FILE });
    expect(await store.publish(KEY, { parts: 1, ...FILE })).toEqual(first);
    expect(await store.findPublished(KEY)).toEqual(first);
  });

  test('of two at once, both answer the same', async () => {
    await write(KEY, ['x'.repeat(3_000_000), 'y']);
    const [first, second] = await Promise.all([
      store.publish(KEY, { parts: 2, ...FILE }),
      store.publish(KEY, { parts: 2, ...FILE }),
    ]);
    expect(first).toEqual(second);
    expect(await contentOf(LOCATION)).toHaveLength(3_000_001);
  });

  test('serves nothing while a part is missing', async () => {
    await write(KEY, ['x']);
    await expect(store.publish(KEY, { parts: 2, ...FILE })).rejects.toThrow(PartMissing);
    expect(await store.read(LOCATION)).toBeUndefined();
  });

  test('takes up where a publisher died after the manifest', async () => {
    await write(KEY, ['x']);
    writeFileSync(join(root, 'uploads', LOCATION, 'manifest.json'), '{"half":');
    expect(await store.publish(KEY, { parts: 1, ...FILE })).toMatchObject({ bytes: 1 });
  });

  test('leaves nothing of attempts that died', async () => {
    await write(KEY, ['x']);
    writeFileSync(join(root, 'uploads', LOCATION, '.part-dead'), 'half');
    await store.publish(KEY, { parts: 1, ...FILE });
    expect(files().sort()).toEqual([
      `published/${LOCATION}/manifest.json`,
      `published/${LOCATION}/part-00000`,
    ]);
  });

  test('reports what it has checked', async () => {
    await write(KEY, ['x'.repeat(10), 'y'.repeat(5)]);
    const seen: number[] = [];
    await store.publish(KEY, { parts: 2, ...FILE, onBytes: (bytes) => seen.push(bytes) });
    expect(seen).toEqual([10, 15]);
  });

  test('closes the upload', async () => {
    await write(KEY, ['x']);
    await store.publish(KEY, { parts: 1, ...FILE });
    await expect(store.openUpload(KEY)).rejects.toThrow(UploadAborted);
    await expect(store.writePart(KEY, 0, Readable.from(['z']), never)).rejects.toThrow(UploadAborted);
    expect(await store.abortUpload(KEY)).toBe('absent');
    expect(await contentOf(LOCATION)).toEqual(Buffer.from('x'));
  });
});

describe('writing a part', () => {
  test('replaces an earlier attempt whole', async () => {
    await write(KEY, ['first attempt, longer']);
    await store.writePart(KEY, 0, Readable.from(['second']), never);
    await store.publish(KEY, { parts: 1, ...FILE });
    expect(await contentOf(LOCATION)).toEqual(Buffer.from('second'));
  });

  test('keeps the earlier one when the source breaks off', async () => {
    await write(KEY, ['whole']);
    const broken = Readable.from(
      (async function* () {
        yield Buffer.from('half');
        throw new Error('connection lost');
      })(),
    );
    await expect(store.writePart(KEY, 0, broken, never)).rejects.toThrow('connection lost');
    expect(files()).toEqual([`uploads/${LOCATION}/part-00000`]);
    await store.publish(KEY, { parts: 1, ...FILE });
    expect(await contentOf(LOCATION)).toEqual(Buffer.from('whole'));
  });

  test('stops on the signal, and leaves nothing half', async () => {
    await store.openUpload(KEY);
    const controller = new AbortController();
    const source = new PassThrough();
    source.write('half');
    const writing = store.writePart(KEY, 0, source, controller.signal);
    controller.abort();
    await expect(writing).rejects.toThrow('abort');
    expect(source.destroyed).toBe(true);
    expect(files()).toEqual([]);
  });

  test('needs an opened upload', async () => {
    await expect(store.writePart(KEY, 0, Readable.from(['x']), never)).rejects.toThrow(UploadAborted);
  });
});

describe('aborting', () => {
  test('drops every part and burns the key', async () => {
    await write(KEY, ['x', 'y']);
    expect(await store.abortUpload(KEY)).toBe('aborted');
    expect(files()).toEqual([`aborted/${LOCATION}`]);
    await expect(store.openUpload(KEY)).rejects.toThrow(UploadAborted);
    await expect(store.publish(KEY, { parts: 2, ...FILE })).rejects.toThrow(UploadAborted);
    expect(await store.abortUpload(KEY)).toBe('absent');
  });

  test('of nothing is fine, and burns the key too', async () => {
    expect(await store.abortUpload(KEY)).toBe('absent');
    await expect(store.openUpload(KEY)).rejects.toThrow(UploadAborted);
  });

  test('shuts out a writer that was already at it', async () => {
    await store.openUpload(KEY);
    const source = new PassThrough();
    const zombie = store.writePart(KEY, 0, source, never);
    source.write('late');
    expect(await store.abortUpload(KEY)).toBe('aborted');
    source.end(' words');
    await expect(zombie).rejects.toThrow(UploadAborted);
    expect(files()).toEqual([`aborted/${LOCATION}`]);
  });

  test('leaves other uploads alone', async () => {
    await write(KEY, ['x']);
    const next = KEY.replace('/0', '/1');
    await write(next, ['y']);
    await store.abortUpload(KEY);
    expect(await store.publish(next, { parts: 1, ...FILE })).toMatchObject({ bytes: 1 });
  });

  test('races with opening, writing and publishing: whatever wins, nothing is left half', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.array(fc.nat(3), { minLength: 3, maxLength: 3 }), async (n, delays) => {
        const key = `job-${n}-${delays.join('')}-${Math.random().toString(36).slice(2)}/0`;
        await write(key, ['x']);
        const after = async <T>(ticks: number, work: () => Promise<T>): Promise<T> => {
          for (let i = 0; i < ticks * 4; i += 1) await new Promise((resolve) => setImmediate(resolve));
          return work();
        };
        const [published, aborted] = await Promise.allSettled([
          after(delays[0] ?? 0, () => store.publish(key, { parts: 1, ...FILE })),
          after(delays[1] ?? 0, () => store.abortUpload(key)),
          after(delays[2] ?? 0, async () => {
            await store.openUpload(key);
            await store.writePart(key, 0, Readable.from(['x']), never);
          }),
        ]);
        const there = await store.findPublished(key);
        expect(aborted.status).toBe('fulfilled');
        if (published.status === 'fulfilled') expect(there).toEqual(published.value);
        else expect(published.reason).toBeInstanceOf(UploadAborted);
        if (there) expect(await contentOf(there.location)).toEqual(Buffer.from('x'));
        expect(existsSync(join(root, 'uploads', key.replace('/', '.')))).toBe(false);
      }),
      { numRuns: 60 },
    );
  });
});

describe('reading', () => {
  test('any range of any parts is that slice of the whole', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 20 }), { minLength: 1, maxLength: 5 }),
        fc.nat(),
        fc.nat(),
        async (parts, a, b) => {
          const whole = Buffer.concat(parts);
          fc.pre(whole.length > 0);
          const key = `${Math.random().toString(36).slice(2)}/0`;
          await write(
            key,
            parts.map((part) => Buffer.from(part)),
          );
          const { location } = await store.publish(key, { parts: parts.length, ...FILE });
          const start = Math.min(a % whole.length, b % whole.length);
          const end = Math.max(a % whole.length, b % whole.length);
          expect(await contentOf(location)).toEqual(whole);
          expect(await contentOf(location, { start, end })).toEqual(whole.subarray(start, end + 1));
        },
      ),
      { numRuns: 60 },
    );
  });

  test('an empty file has no bytes', async () => {
    await write(KEY, ['']);
    expect(await store.publish(KEY, { parts: 1, ...FILE })).toMatchObject({ bytes: 0 });
    expect(await contentOf(LOCATION)).toEqual(Buffer.alloc(0));
  });

  test('never leaves its folder, whatever it is asked for', async () => {
    await write(KEY, ['x']);
    await store.publish(KEY, { parts: 1, ...FILE });
    writeFileSync(join(root, 'manifest.json'), JSON.stringify({ bytes: 1, sha256: '', parts: [1] }));
    const outside = [
      '..',
      '../..',
      '.',
      '',
      '%2e%2e',
      `../published/${LOCATION}`,
      `/${LOCATION}`,
      'a\0b',
      'a/../b',
      '..\\..',
    ];
    for (const location of outside) {
      expect(await store.read(location)).toBeUndefined();
      await store.remove(location);
    }
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: fc.constantFrom('.', '/', '\\', 'a', '%', '\0', '~') }),
        async (location) => {
          expect(await store.read(location)).toBeUndefined();
          await store.remove(location);
        },
      ),
    );
    expect(await contentOf(LOCATION)).toEqual(Buffer.from('x'));
    for (const key of ['../x', 'a/../b', '', '/', 'a//b', '..', 'a.b/0', 'a/b/c/d/e']) {
      await expect(store.openUpload(key)).rejects.toThrow('is not an upload key');
      await expect(store.abortUpload(key)).rejects.toThrow('is not an upload key');
    }
  });
});

test('removes a published file, and minds nothing that is not there', async () => {
  await write(KEY, ['x']);
  await store.publish(KEY, { parts: 1, ...FILE });
  await store.remove(LOCATION);
  await store.remove(LOCATION);
  expect(await store.read(LOCATION)).toBeUndefined();
  expect(files()).toEqual([]);
});

describe('sweeping', () => {
  const age = (path: string): void => utimesSync(join(root, path), new Date(0), new Date(0));
  const live = (...locations: string[]) => ({
    olderThanMs: 60_000,
    isLive: async (asked: readonly string[]) =>
      new Set(asked.filter((location) => locations.includes(location))),
  });

  test('drops old uploads and files nobody wants, and only those', async () => {
    for (const job of ['wanted', 'unwanted', 'young']) await write(`${job}/0`, ['x']);
    for (const job of ['kept', 'orphan']) {
      await write(`${job}/0`, ['x']);
      await store.publish(`${job}/0`, { parts: 1, ...FILE });
    }
    for (const path of ['uploads/wanted.0', 'uploads/unwanted.0', 'published/kept.0', 'published/orphan.0'])
      age(path);
    expect(await store.sweep(live('wanted.0', 'kept.0'))).toEqual({ uploads: 1, published: 1 });
    expect(readdirSync(join(root, 'uploads')).sort()).toEqual(['wanted.0', 'young.0']);
    expect(readdirSync(join(root, 'published'))).toEqual(['kept.0']);
    await expect(store.openUpload('unwanted/0')).rejects.toThrow(UploadAborted);
  });

  test('finishes deletions that were cut short, and forgets tombstones no writer can outlive', async () => {
    mkdirSync(join(root, 'trash', 'dead'), { recursive: true });
    writeFileSync(join(root, 'trash', 'dead', 'part-00000'), 'x');
    age('trash/dead');
    await store.abortUpload(KEY);
    await store.sweep(live());
    expect(files()).toEqual([`aborted/${LOCATION}`]);
    age(`aborted/${LOCATION}`);
    await store.sweep(live());
    expect(files()).toEqual([]);
  });

  test('asks for nothing where there is nothing', async () => {
    expect(await store.sweep(live())).toEqual({ uploads: 0, published: 0 });
  });
});

test('signs URLs that name the file and carry its expiry', async () => {
  const url = new URL(await store.signedUrl({ location: LOCATION, ...FILE }, new Date(5_000)));
  expect(url.pathname).toBe(`/artifacts/${LOCATION}`);
  expect(url.searchParams.get('expires')).toBe('5');
});
