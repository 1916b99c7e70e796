import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFolderStore, type FolderStore } from '../../../libs/artifacts/folder-store.js';
import { describeArtifactStore, FILE, KEY, LOCATION, randomKey, write } from './artifact-store.suite.js';

let root: string;
let store: FolderStore;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'longhaul-store-'));
  store = createFolderStore({ root, publicUrl: 'http://localhost', secret: Buffer.alloc(32) });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

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

const PAUSE_MS = 10;

const namesIn = (folder: string): string[] => {
  const path = join(root, folder);
  return existsSync(path) ? readdirSync(path) : [];
};

describeArtifactStore(
  async () => ({
    store,
    served: (location) => contentOf(location),
    published: async () => namesIn('published'),
    uploads: async () => namesIn('uploads'),
    parts: async () => files().filter((path) => path.startsWith('uploads/')),
    async moment() {
      await sleep(PAUSE_MS);
      const now = Date.now();
      await sleep(PAUSE_MS);
      return now;
    },
  }),
  60,
);

describe('publishing', () => {
  test('takes up where a publisher died after the manifest', async () => {
    await write(store, KEY, ['x']);
    writeFileSync(join(root, 'uploads', LOCATION, 'manifest.json'), '{"half":');
    expect(await store.publish(KEY, { parts: 1, ...FILE })).toMatchObject({ bytes: 1 });
  });

  test('leaves nothing of attempts that died', async () => {
    await write(store, KEY, ['x']);
    writeFileSync(join(root, 'uploads', LOCATION, '.part-dead'), 'half');
    await store.publish(KEY, { parts: 1, ...FILE });
    expect(files().sort()).toEqual([
      `published/${LOCATION}/manifest.json`,
      `published/${LOCATION}/part-00000`,
    ]);
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
          const key = randomKey();
          await write(
            store,
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

  test('never leaves its folder, whatever it is asked for', async () => {
    await write(store, KEY, ['x']);
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
  });
});

describe('sweeping', () => {
  const nobodyWants = { olderThanMs: 60_000, isLive: async () => new Set<string>() };
  const age = (path: string): void => utimesSync(join(root, path), new Date(0), new Date(0));
  test('finishes deletions that were cut short, and forgets tombstones no writer can outlive', async () => {
    mkdirSync(join(root, 'trash', 'dead'), { recursive: true });
    writeFileSync(join(root, 'trash', 'dead', 'part-00000'), 'x');
    age('trash/dead');
    await store.abortUpload(KEY);
    await store.sweep(nobodyWants);
    expect(files()).toEqual([`aborted/${LOCATION}`]);
    age(`aborted/${LOCATION}`);
    await store.sweep(nobodyWants);
    expect(files()).toEqual([]);
  });
});

test('signs URLs that name the file and carry its expiry', async () => {
  const url = new URL(await store.signedUrl({ location: LOCATION, ...FILE }, new Date(5_000)));
  expect(url.pathname).toBe(`/artifacts/${LOCATION}`);
  expect(url.searchParams.get('expires')).toBe('5');
});
