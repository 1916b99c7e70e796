import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { arriving } from '../../../apps/api/http/streamed-body.js';
import { Problem } from '../../../apps/api/problems/problem.js';
import { receiveImage } from '../../../apps/api/uploads/image.receiver.js';
import { createFolderStore, type FolderStore } from '../../../libs/artifacts/folder-store.js';
import { halves } from '../../libs/images/samples.js';

const id = '0190b2f0-0000-7000-8000-000000000000';

let root: string;
let store: FolderStore;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'longhaul-receiver-'));
  store = createFolderStore({ root, publicUrl: 'http://localhost', secret: Buffer.alloc(32) });
});
afterEach(() => rm(root, { recursive: true, force: true }));

test('an image is stored whole, in whatever pieces it comes', async () => {
  const photo = await (await halves(200, 100)).jpeg().toBuffer();
  const bytes = Readable.from([...photo].map((byte) => Buffer.from([byte])));
  expect(await receiveImage(store, id, bytes)).toMatchObject({
    ...{ bytes: photo.length, width: 200, height: 100 },
    sha256: createHash('sha256').update(photo).digest('hex'),
  });
});

test('a sender that breaks off is told apart from a store that fails', async () => {
  const photo = await (await halves(200, 100)).jpeg().toBuffer();
  const body = new PassThrough();
  body.write(photo.subarray(0, 100));
  const bounds = { bytesMax: 10_000, tooLarge: () => new Problem('upload_too_large', '') };
  const receiving = receiveImage(store, id, arriving(body, bounds));
  body.destroy(new Error('aborted'));
  await expect(receiving).rejects.toMatchObject({ code: 'upload_interrupted' });
  expect(await store.findPublished(id)).toBeUndefined();

  const full = {
    ...store,
    writePart: () => Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' })),
  };
  await expect(receiveImage(full, `${id}-2`, Readable.from([photo]))).rejects.toMatchObject({
    code: 'store_unavailable',
    status: 503,
  });
});
