import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createClient, type Client } from '../../../libs/client/client.js';
import { ArtifactMismatchError } from '../../../libs/client/download.js';
import { bytes, json, openFaultyApi, problem, sha256Of, type FaultyApi } from './faulty-api.js';

const content = randomBytes(300_000);
let api: FaultyApi;
let client: Client;
let folder: string;
let to: string;

beforeEach(async () => {
  api = await openFaultyApi();
  client = createClient({ url: api.url, key: 'secret', retry: { attempts: 4, firstMs: 1, mostMs: 5 } });
  folder = await mkdtemp(join(tmpdir(), 'longhaul-client-'));
  to = join(folder, 'flights.csv');
  announce();
});
afterEach(async () => {
  await api.close();
  await rm(folder, { recursive: true, force: true });
});

function announce(more: { bytes?: number; sha256?: string; path?: string } = {}): void {
  api.on('GET /jobs/x/result', json(200, linkOf(more)));
}
const linkOf = (more: { bytes?: number; sha256?: string; path?: string } = {}): unknown => ({
  url: `${api.url}${more.path ?? '/artifacts/a'}?signature=s`,
  expiresAt: '2030-01-01T00:00:00Z',
  bytes: content.length,
  sha256: sha256Of(content),
  contentType: 'text/csv',
  filename: 'flights.csv',
  ...more,
});
const downloads = (): (string | undefined)[] =>
  api.seen.filter(({ url }) => url.startsWith('/artifacts/')).map(({ headers }) => headers.range);
/** Says when so many bytes have been written. */
function milestones(...marks: number[]): {
  at: Promise<void>[];
  onProgress: (received: { bytes: number }) => void;
} {
  const gates = marks.map((mark) => ({ mark, ...Promise.withResolvers<void>() }));
  return {
    at: gates.map((gate) => gate.promise),
    onProgress: ({ bytes }) => gates.filter(({ mark }) => bytes >= mark).forEach((gate) => gate.resolve()),
  };
}
const partPath = (): string => `${to}.${sha256Of(content).slice(0, 12)}.part`;

it('writes the file and returns what it verified', async () => {
  api.on('GET /artifacts/a', bytes(content));
  const received: number[] = [];
  const downloaded = await client.download('x', {
    to,
    onProgress: (progress) => received.push(progress.bytes),
  });
  expect(downloaded).toMatchObject({
    path: to,
    bytes: content.length,
    sha256: sha256Of(content),
    resumes: 0,
  });
  expect(content.equals(await readFile(to))).toBe(true);
  expect(received.at(-1)).toBe(content.length);
  expect(await readdir(folder)).toEqual(['flights.csv']);
});

it('does not send the key to the signed URL', async () => {
  api.on('GET /artifacts/a', bytes(content));
  await client.download('x', { to });
  const request = api.seen.find(({ url }) => url.startsWith('/artifacts/'));
  expect(request?.headers).not.toHaveProperty('authorization');
  expect(request?.headers['accept-encoding']).toBe('identity');
});

it('goes on where a truncated download ended', async () => {
  const { at, onProgress } = milestones(100_000, 150_000);
  api.on(
    'GET /artifacts/a',
    bytes(content, { truncateAt: 100_000, cutAfter: at[0]! }),
    bytes(content, { truncateAt: 50_000, cutAfter: at[1]! }),
    bytes(content),
  );
  const downloaded = await client.download('x', { to, onProgress });
  expect(downloaded).toMatchObject({ sha256: sha256Of(content), resumes: 2 });
  expect(downloads()).toEqual([undefined, 'bytes=100000-', 'bytes=150000-']);
  expect(content.equals(await readFile(to))).toBe(true);
});

it('survives more breaks than it has attempts, as long as each brings bytes', async () => {
  const marks = Array.from({ length: 8 }, (_, index) => (index + 1) * 30_000);
  const { at, onProgress } = milestones(...marks);
  const broken = at.map((cutAfter) => bytes(content, { truncateAt: 30_000, cutAfter }));
  api.on('GET /artifacts/a', ...broken, bytes(content));
  expect(await client.download('x', { to, onProgress })).toMatchObject({ resumes: 8 });
});

it('is not misled by a server that ignores the range', async () => {
  const { at, onProgress } = milestones(100_000);
  api.on(
    'GET /artifacts/a',
    bytes(content, { truncateAt: 100_000, cutAfter: at[0]! }),
    bytes(content, { ignoreRange: true }),
  );
  await client.download('x', { to, onProgress });
  expect(downloads()).toEqual([undefined, 'bytes=100000-']);
  expect(content.equals(await readFile(to))).toBe(true);
});

it('goes on from the part of an earlier run', async () => {
  await writeFile(partPath(), content.subarray(0, 120_000));
  api.on('GET /artifacts/a', bytes(content));
  expect(await client.download('x', { to })).toMatchObject({ sha256: sha256Of(content), resumes: 1 });
  expect(downloads()).toEqual(['bytes=120000-']);
});

it('starts over when the part of an earlier run is rotten', async () => {
  await writeFile(partPath(), randomBytes(120_000));
  api.on('GET /artifacts/a', bytes(content));
  await client.download('x', { to });
  expect(downloads()).toEqual(['bytes=120000-', undefined]);
  expect(content.equals(await readFile(to))).toBe(true);
});

it('keeps nothing of bytes that are not the ones announced', async () => {
  const other = Buffer.from(content);
  other[1234] = (other[1234] ?? 0) ^ 1;
  api.on('GET /artifacts/a', bytes(other));
  await expect(client.download('x', { to })).rejects.toThrow(ArtifactMismatchError);
  expect(await readdir(folder)).toEqual([]);
});

it('refuses more bytes than were announced', async () => {
  api.on('GET /artifacts/a', bytes(Buffer.concat([content, Buffer.from('more')])));
  await expect(client.download('x', { to })).rejects.toThrow('More arrived');
  expect(await readdir(folder)).not.toContain('flights.csv');
});

it('asks for a fresh link when the signed one has expired on the way', async () => {
  api.on(
    'GET /jobs/x/result',
    json(200, linkOf({ path: '/artifacts/old' })),
    json(200, linkOf({ path: '/artifacts/new' })),
  );
  const { at, onProgress } = milestones(100_000);
  api.on(
    'GET /artifacts/old',
    bytes(content, { truncateAt: 100_000, cutAfter: at[0]! }),
    problem(410, 'expired'),
  );
  api.on('GET /artifacts/new', bytes(content));
  await client.download('x', { to, onProgress });
  expect(downloads()).toEqual([undefined, 'bytes=100000-', 'bytes=100000-']);
  expect(content.equals(await readFile(to))).toBe(true);
});

it('gives up after its attempts, and keeps the part for the next run', async () => {
  const { at, onProgress } = milestones(100_000);
  api.on(
    'GET /artifacts/a',
    bytes(content, { truncateAt: 100_000, cutAfter: at[0]! }),
    problem(503, 'later'),
  );
  await expect(client.download('x', { to, onProgress })).rejects.toMatchObject({ status: 503 });
  expect(await readdir(folder)).toEqual([partPath().slice(folder.length + 1)]);
});

it('writes an empty artifact too', async () => {
  announce({ bytes: 0, sha256: sha256Of(Buffer.alloc(0)) });
  await client.download('x', { to });
  expect((await readFile(to)).length).toBe(0);
});
