import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { receive } from '../../../apps/api/uploads/upload.receiver.js';
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

const photo = async (): Promise<Buffer> => (await halves(200, 100)).jpeg().toBuffer();

test('a sender that falls silent is told so, and its connection is left to carry the answer', async () => {
  const body = new PassThrough();
  body.write((await photo()).subarray(0, 100));
  const receiving = receive(store, { id, body, bytesMax: 10_000, silenceMaxMs: 30 });
  await expect(receiving).rejects.toMatchObject({ code: 'request_timeout' });
  expect(body.destroyed).toBe(false);
  expect(await store.findPublished(id)).toBeUndefined();
});

test('a sender that breaks off is told apart from a store that fails', async () => {
  const body = new PassThrough();
  body.write((await photo()).subarray(0, 100));
  const receiving = receive(store, { id, body, bytesMax: 10_000 });
  body.destroy(new Error('aborted'));
  await expect(receiving).rejects.toMatchObject({ code: 'upload_interrupted' });

  const full = {
    ...store,
    writePart: () => Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' })),
  };
  const whole = new PassThrough();
  whole.end(await photo());
  const refused = receive(full, { id: `${id}-2`, body: whole, bytesMax: 10_000 });
  await expect(refused).rejects.toMatchObject({ code: 'store_unavailable', status: 503 });
});

test('a length of exactly the limit is taken, byte by byte too; one more is not', async () => {
  const bytes = await photo();
  const send = async (key: string, bytesMax: number) => {
    const body = new PassThrough();
    for (const byte of bytes) body.write(Buffer.from([byte]));
    body.end();
    return receive(store, { id: key, body, bytesMax });
  };
  expect(await send(id, bytes.length)).toMatchObject({ bytes: bytes.length, width: 200, height: 100 });
  await expect(send(`${id}-2`, bytes.length - 1)).rejects.toMatchObject({ code: 'upload_too_large' });
});
