/** Images from upload to download: a real API, database and store; the steps run as a worker would run them. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { discardRenditions } from '../../../activities/image/render.js';
import type { ImageResources } from '../../../activities/resources.js';
import type { RenditionSource, Upload } from '../../../apps/api/uploads/upload.schema.js';
import { register as registerRenditions } from '../../../apps/cli/commands/renditions.command.js';
import { register as registerUpload } from '../../../apps/cli/commands/upload.command.js';
import { createClient } from '../../../libs/client/client.js';
import { UploadAborted } from '../../../libs/artifacts/artifact-store.js';
import { sweepArtifacts } from '../../../libs/artifacts/sweeper.js';
import { Rejected, Transient } from '../../../libs/saga/failure.js';
import type { MemoryRun } from '../../../libs/saga/memory.js';
import { openDatabase, type Database } from '../../../libs/store/database.js';
import type { ImageRenditionsInput } from '../../../workflows/image-renditions.job.js';
import { animation, halves, pngBomb, quarters } from '../../libs/images/samples.js';
import { runImageJob } from '../../support/images.js';
import { eventually } from '../../support/stack.js';
import { FakeWorker, startTestApi, type CallOptions, type TestAnswer, type TestApi } from './support.js';

const BYTES_MAX = 2 << 20;
const BYTES = 'application/octet-stream';
const SET: ImageRenditionsInput['renditions'] = [
  {
    name: 'thumb',
    width: 24,
    height: 24,
    fit: 'cover',
    format: 'webp',
    background: '#ffffff',
    enlarge: false,
  },
  { name: 'large', width: 80, fit: 'inside', format: 'avif', background: '#ffffff', enlarge: false },
  { name: 'plain', height: 20, fit: 'inside', format: 'jpeg', background: '#ffffff', enlarge: false },
];

let t: TestApi;
let relay: Database;
let resources: ImageResources;

beforeAll(async () => {
  t = await startTestApi(
    {},
    { uploads: { bytesMax: BYTES_MAX, ttlMs: 3_600_000, tenantBytesMax: 20 << 20 } },
  );
  relay = openDatabase(t.settings.databaseUrl.relay, 'relay', { max: 2 });
  resources = { database: t.worker, artifacts: t.api.resources.artifacts };
});
afterAll(async () => {
  await relay.end();
  await t.close();
});

let serial = 0;
/** A JPEG no other test has. */
async function photo(width = 120, height = 60): Promise<Buffer> {
  serial += 1;
  return (await halves(width + serial, height)).jpeg({ quality: 95 }).toBuffer();
}

const post = (body: Uint8Array, options: CallOptions = {}): Promise<TestAnswer> =>
  t.call('POST', '/uploads', { body, headers: { 'content-type': BYTES }, ...options });
const uploadOf = ({ json }: TestAnswer): Upload => json as unknown as Upload;

async function upload(body: Uint8Array): Promise<string> {
  const answer = await post(body);
  expect(answer.status, answer.text).toBe(201);
  return uploadOf(answer).id;
}

/** What the store and the table have of uploads that are not whole. */
async function unfinished(): Promise<unknown[]> {
  const { rows } = await relay.query<{ id: string }>('select id from longhaul.uploads where sha256 is null');
  const folder = await readdir(join(t.settings.artifactsDir, 'uploads')).catch(() => []);
  return [...rows, ...folder];
}

async function accept(sources: readonly string[], renditions = SET): Promise<string> {
  const answer = await t.call('POST', '/renditions', { json: { sources, renditions } });
  expect(answer.status, answer.text).toBe(202);
  return answer.json.id;
}

/** Runs a job's saga to its end, and records it. */
async function runJob(
  id: string,
  sources: readonly string[],
  options: Parameters<typeof runImageJob>[2] = {},
  renditions = SET,
): Promise<MemoryRun> {
  const input = { sources: [...sources], renditions };
  const run = await runImageJob(resources, { id, tenantId: t.acme.id, input }, options);
  expect(run.end, JSON.stringify(run.state)).toBeDefined();
  const worker = new FakeWorker(t, t.acme);
  await worker.start(id);
  if (run.end?.status === 'SUCCEEDED') await worker.succeed(id, run.end.result);
  else await worker.fail(id);
  return run;
}

async function sourcesOf(id: string, query = ''): Promise<RenditionSource[]> {
  const answer = await t.call('GET', `/jobs/${id}/renditions${query}`);
  expect(answer.status, answer.text).toBe(200);
  return answer.json.items as unknown as RenditionSource[];
}

const filesOf = async (jobId: string): Promise<string[]> =>
  (await readdir(join(t.settings.artifactsDir, 'published'))).filter((name) => name.startsWith(jobId));
const download = async (url: string): Promise<Buffer> => Buffer.from(await (await fetch(url)).arrayBuffer());
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

describe('an upload', () => {
  test('is what its bytes are, whatever it is called, and the same bytes are one', async () => {
    const bytes = await photo();
    const first = await post(bytes, { headers: { 'content-type': 'image/png' } });
    expect(first.status, first.text).toBe(201);
    const there = uploadOf(first);
    expect(there).toMatchObject({
      bytes: bytes.length,
      sha256: sha256(bytes),
      contentType: 'image/jpeg',
      height: 60,
    });
    expect(first.headers.get('location')).toBe(`${t.url}/uploads/${there.id}`);
    const again = await post(bytes);
    expect([again.status, uploadOf(again).id]).toEqual([200, there.id]);
    expect(Date.parse(uploadOf(again).expiresAt)).toBeGreaterThanOrEqual(Date.parse(there.expiresAt));
    expect(uploadOf(await t.call('GET', `/uploads/${there.id}`))).toEqual(uploadOf(again));
    expect(await unfinished()).toEqual([]);
  });

  test('is its tenant’s alone: the same bytes are another upload elsewhere', async () => {
    const bytes = await photo();
    const mine = uploadOf(await post(bytes));
    const { key } = t.rival;
    const theirs = await post(bytes, { key });
    expect([theirs.status, uploadOf(theirs).id === mine.id]).toEqual([201, false]);
    for (const method of ['GET', 'DELETE']) {
      const foreign = await t.call(method, `/uploads/${mine.id}`, { key });
      const unknown = await t.call(method, `/uploads/${randomUUID()}`, { key });
      expect([foreign.status, foreign.json.code]).toEqual([404, 'upload_not_found']);
      expect([unknown.status, unknown.json.code]).toEqual([404, 'upload_not_found']);
    }
  });

  test('that is sent several times at once is one', async () => {
    const bytes = await photo();
    const answers = await Promise.all([post(bytes), post(bytes), post(bytes)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 201]);
    expect(new Set(answers.map((answer) => uploadOf(answer).id)).size).toBe(1);
    expect(await unfinished()).toEqual([]);
  });

  test.each<[string, () => Promise<Uint8Array>, number, string]>([
    ['SVG', () => Promise.resolve(Buffer.from('<svg xmlns="x"/>')), 415, 'upload_not_an_image'],
    ['PDF', () => Promise.resolve(Buffer.from('%PDF-1.7\n')), 415, 'upload_not_an_image'],
    ['text', () => Promise.resolve(Buffer.from('a'.repeat(9_000))), 415, 'upload_not_an_image'],
    ['a broken header', async () => (await photo()).subarray(0, 20), 422, 'image_unreadable'],
    ['a bomb', () => Promise.resolve(pngBomb(20_000)), 422, 'image_too_large'],
    ['too many bytes', () => Promise.resolve(padded(BYTES_MAX + 1)), 413, 'upload_too_large'],
  ])('of %s is refused, and leaves nothing behind', async (_, make, status, code) => {
    const answer = await post(await make());
    expect([answer.status, answer.json.code], answer.text).toEqual([status, code]);
    expect(await unfinished()).toEqual([]);
  });

  test('of no length told beforehand is taken, up to the limit', async () => {
    const send = async (body: Buffer): Promise<number> => {
      const response = await fetch(`${t.url}/uploads`, {
        method: 'POST',
        headers: { authorization: `Bearer ${t.acme.key}`, 'content-type': BYTES },
        body: new Blob([new Uint8Array(body)]).stream(),
        duplex: 'half',
      });
      await response.arrayBuffer();
      return response.status;
    };
    expect(await send(await photo())).toBe(201);
    expect(await send(padded(BYTES_MAX + 1))).toBe(413);
    // Far beyond what connections hold: the sender is heard out, and reads its answer.
    expect(await send(padded(BYTES_MAX * 12))).toBe(413);
    expect(await unfinished()).toEqual([]);
  });

  test('of JSON, and bytes where JSON is wanted, are told what to send', async () => {
    const json = await t.call('POST', '/uploads', { json: {} });
    expect([json.status, json.json.code, json.json.detail]).toEqual([
      415,
      'unsupported_media_type',
      expect.stringContaining('octet-stream') as string,
    ]);
    const bytes = await t.call('POST', '/jobs', { body: 'x', headers: { 'content-type': BYTES } });
    expect([bytes.status, bytes.json.code]).toEqual([415, 'unsupported_media_type']);
    const nothing = await t.call('POST', '/uploads');
    expect(nothing.status).toBe(415);
  });

  test('whose connection drops leaves nothing behind', async () => {
    const bytes = padded(1_000_000);
    const request = httpRequest(`${t.url}/uploads`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${t.acme.key}`,
        'content-type': BYTES,
        'content-length': bytes.length,
      },
    });
    request.on('error', () => undefined);
    request.write(bytes.subarray(0, 500_000));
    await eventually('the upload to begin', async () => (await unfinished()).length > 1);
    request.destroy();
    await eventually('nothing to be left', async () => (await unfinished()).length === 0);
  });

  test('is over the quota once as many bytes are kept, until one is deleted', async () => {
    const id = await upload(await photo());
    await t.owner.query('update longhaul.uploads set bytes = bytes + (20 << 20) where id = $1', [id]);
    const refused = await post(await photo());
    expect([refused.status, refused.json.code]).toEqual([409, 'upload_quota_reached']);
    expect((await t.call('DELETE', `/uploads/${id}`)).status).toBe(204);
    expect((await t.call('GET', `/uploads/${id}`)).status).toBe(404);
    expect(await readdir(join(t.settings.artifactsDir, 'published'))).not.toContain(id);
    expect((await post(await photo())).status).toBe(201);
  });
});

describe('by client and command line', () => {
  test('a file is uploaded, and what was made of it comes back verified', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'longhaul-images-'));
    try {
      const client = createClient({ url: t.url, key: t.acme.key });
      const file = join(folder, 'photo.jpg');
      await writeFile(file, await photo());
      const sent = await client.uploads.create(file);
      expect(await client.uploads.create(await readFile(file))).toMatchObject({ id: sent.id });
      expect(await client.uploads.get(sent.id)).toMatchObject({
        sha256: sent.sha256,
        contentType: 'image/jpeg',
      });
      const { job } = await client.submit('image.renditions', { sources: [sent.id], renditions: SET });
      await runJob(job.id, [sent.id]);

      const said = await commandLine('upload', file, '--json');
      expect(JSON.parse(said)).toMatchObject({ id: sent.id });
      expect(await commandLine('renditions', job.id, '--to', join(folder, 'out'))).toContain('webp 24×24');
      const [source] = await sourcesOf(job.id);
      for (const [name, extension] of [
        ['thumb', 'webp'],
        ['large', 'avif'],
        ['plain', 'jpg'],
      ] as const) {
        const bytes = await readFile(join(folder, 'out', `${sent.id}-${name}.${extension}`));
        expect(sha256(bytes)).toBe(source?.files.find((made) => made.name === name)?.sha256);
      }
      await client.uploads.remove(sent.id);
      await expect(client.uploads.get(sent.id)).rejects.toMatchObject({ code: 'upload_not_found' });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

/** What `longhaul …` prints. */
async function commandLine(...args: string[]): Promise<string> {
  let out = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((out += String(text)), true));
  try {
    const program = new Command().exitOverride();
    registerUpload(program);
    registerRenditions(program);
    await program.parseAsync([...args, '--url', t.url, '--key', t.acme.key], { from: 'user' });
  } finally {
    write.mockRestore();
  }
  expect(process.exitCode, out).toBeUndefined();
  return out;
}

describe('renditions', () => {
  test('are made of every good source, and say why not of the others', async () => {
    const good = await upload(
      await (await halves(120, 60)).withMetadata({ orientation: 6 }).jpeg().toBuffer(),
    );
    const half = await upload(cut(await photo(900, 900)));
    const gone = await upload(await photo());
    const moving = await upload(await animation(5));
    const sources = [half, good, gone, moving];
    const id = await accept(sources);
    await t.call('DELETE', `/uploads/${gone}`);
    const { end } = await runJob(id, sources);
    expect(end?.status, JSON.stringify(end)).toBe('SUCCEEDED');
    expect(end).toMatchObject({ result: { sources: 4, rendered: 2, refused: 2, files: 6 } });

    const items = await sourcesOf(id);
    expect(items.map(({ upload, status, reason, frames }) => [upload, status, reason, frames])).toEqual([
      [half, 'refused', 'image_unreadable', null],
      [good, 'rendered', null, 1],
      [gone, 'refused', 'upload_gone', null],
      [moving, 'rendered', null, 5],
    ]);
    const files = items[1]!.files;
    expect(files.map(({ name, contentType, width, height }) => [name, contentType, width, height])).toEqual([
      ['thumb', 'image/webp', 24, 24],
      ['large', 'image/avif', 60, 120],
      ['plain', 'image/jpeg', 10, 20],
    ]);
    for (const file of files) {
      const bytes = await download(file.url!);
      expect([bytes.length, sha256(bytes)]).toEqual([file.bytes, file.sha256]);
      // Turned upright: what was left is above.
      expect(await quarters(bytes)).toEqual(['red', 'red', 'blue', 'blue']);
    }
    expect([(await sourcesOf(id, '?limit=3')).length, (await sourcesOf(id)).length]).toEqual([3, 4]);
    const link = (await t.call('GET', `/jobs/${id}/renditions?limit=3`)).headers.get('link');
    const next = new URL(/<([^>]+)>/.exec(link ?? '')?.[1] ?? '');
    expect((await sourcesOf(id, next.search)).map(({ upload }) => upload)).toEqual([moving]);

    const result = await t.call('GET', `/jobs/${id}/result`, { headers: { accept: 'application/json' } });
    const manifest = JSON.parse((await download(result.json.url)).toString()) as {
      sources: {
        upload: string;
        status: string;
        reason?: string;
        files?: { href: string; sha256: string }[];
      }[];
    };
    expect(manifest.sources.map(({ upload, status, reason }) => [upload, status, reason])).toEqual([
      [half, 'refused', 'image_unreadable'],
      [good, 'rendered', undefined],
      [gone, 'refused', 'upload_gone'],
      [moving, 'rendered', undefined],
    ]);
    for (const { href, sha256: expected } of manifest.sources[1]!.files!) {
      const redirect = await t.call('GET', href);
      expect(redirect.status).toBe(303);
      expect(sha256(await download(redirect.headers.get('location')!))).toBe(expected);
    }
    const { href } = manifest.sources[1]!.files![0]!;
    const asJson = await t.call('GET', href, { headers: { accept: 'application/json' } });
    expect([asJson.status, asJson.json.filename]).toEqual([200, `${good}-thumb.webp`]);
    for (const path of [href, `/jobs/${id}/renditions`])
      expect((await t.call('GET', path, { key: t.rival.key })).json.code).toBe('job_not_found');
    expect((await t.call('GET', href.replace('thumb', 'nope'))).json.code).toBe('rendition_not_found');
  });

  test('of a long and narrow source keep to the longest side there is', async () => {
    const sources = [await upload(await (await halves(6_000, 30)).jpeg().toBuffer())];
    const id = await accept(sources);
    await runJob(id, sources);
    const [, , plain] = (await sourcesOf(id))[0]!.files;
    expect([plain?.width, plain?.height]).toEqual([4_000, 20]);
    const wide = { ...SET[2]!, height: 30 };
    const other = await accept(sources, [wide]);
    await runJob(other, sources, {}, [wide]);
    expect((await sourcesOf(other))[0]!.files[0]).toMatchObject({ width: 4_096, height: 20 });
  });

  test('of what never was the tenant’s upload are refused at the door, and what is gone since is not', async () => {
    const mine = await upload(await photo());
    const theirs = uploadOf(await post(await photo(), { key: t.rival.key })).id;
    const json = { sources: [mine, theirs, randomUUID()], renditions: SET };
    const refused = await t.call('POST', '/renditions', { json });
    expect([refused.status, refused.json.errors.map(({ pointer }) => pointer)]).toEqual([
      422,
      ['/sources/1', '/sources/2'],
    ]);
    const batch = await t.call('POST', '/jobs/batch', {
      json: { jobs: [{ kind: 'image.renditions', input: json }] },
    });
    expect(batch.json.items[0]?.problem?.errors?.[0]?.pointer).toBe('/input/sources/1');
    const input = { ...json, renditions: [{ ...SET[0], name: '{{date}}' }] };
    const schedule = await t.call('POST', '/schedules', {
      json: { kind: 'image.renditions', input, cron: '0 6 * * *' },
    });
    expect([schedule.status, schedule.json.errors?.map(({ pointer }) => pointer)]).toEqual([
      422,
      ['/input/sources/1', '/input/sources/2'],
    ]);
    const first = await accept([mine]);
    await t.call('DELETE', `/uploads/${mine}`);
    const again = await t.call('POST', '/renditions', { json: { sources: [mine], renditions: SET } });
    expect([again.status, again.json.id]).toEqual([200, first]);
  });

  test('of no good source at all fail the job, which keeps the reasons and no file', async () => {
    const sources = [await upload(cut(await photo(900, 900))), await upload(cut(await photo(900, 901)))];
    const id = await accept(sources);
    const { end } = await runJob(id, sources);
    expect(end).toMatchObject({ status: 'FAILED', error: { code: 'no_source_usable' } });
    expect((await sourcesOf(id)).map(({ reason }) => reason)).toEqual([
      'image_unreadable',
      'image_unreadable',
    ]);
    expect(await filesOf(id)).toEqual([]);
  });

  test('are discarded when the job fails, and no late worker brings one back', async () => {
    const sources = [await upload(await photo()), await upload(await photo())];
    const id = await accept(sources);
    const before: string[] = [];
    const { end } = await runJob(id, sources, {
      wrap: () => ({
        async publish() {
          before.push(...(await filesOf(id)));
          throw new Rejected('no_room', 'No.');
        },
      }),
    });
    expect([before.length, end?.status, end?.status === 'FAILED' && end.compensated]).toEqual([
      6,
      'FAILED',
      'all',
    ]);
    expect(await filesOf(id)).toEqual([]);
    expect((await sourcesOf(id)).map(({ status, files }) => [status, files])).toEqual([
      ['withdrawn', []],
      ['withdrawn', []],
    ]);
    const late = resources.artifacts.put(`${id}/0/1-0`, Buffer.from('late'), {
      filename: 'x',
      contentType: 'x',
    });
    await expect(late).rejects.toThrow(UploadAborted);
  });

  test('are the same files when a worker was lost after it made them', async () => {
    const sources = [await upload(await photo())];
    const id = await accept(sources);
    let attempts = 0;
    const { end } = await runJob(id, sources, {
      wrap: ({ render }) => ({
        async render(args, context) {
          const made = await render(args, context);
          attempts += 1;
          if (attempts === 1) throw new Transient('worker_lost', 'Gone.', { certainty: 'unknown' });
          return made;
        },
      }),
    });
    expect([attempts, end?.status]).toEqual([2, 'SUCCEEDED']);
    expect(await filesOf(id)).toHaveLength(4);
  });

  test('have no address before the job has succeeded', async () => {
    const sources = [await upload(await photo())];
    const id = await accept(sources);
    const seen: unknown[] = [];
    await runJob(id, sources, {
      wrap: ({ publish }) => ({
        async publish(args, context) {
          const [source] = await sourcesOf(id);
          const door = await t.call('GET', `/jobs/${id}/renditions/${sources[0]}/thumb`);
          seen.push(
            source?.status,
            source?.files.map(({ url }) => url),
            door.json.code,
          );
          return publish(args, context);
        },
      }),
    });
    expect(seen).toEqual(['rendered', [null, null, null], 'rendition_not_found']);
  });

  test('that were never made are nothing to discard', async () => {
    const sources = [await upload(await photo())];
    const id = await accept(sources);
    const context = {
      job: { id, tenantId: t.acme.id, kind: 'image.renditions' },
      input: { sources, renditions: SET },
      generation: 0,
      heartbeat: () => undefined,
    };
    expect(await discardRenditions(resources, { source: 0 }, context as never)).toBe('noop');
  });

  test('begun by a process that was killed go within the hour, and their rows a month later', async () => {
    const id = randomUUID();
    const { artifacts } = resources;
    await t.owner.query(
      `insert into longhaul.uploads (id, tenant_id, store, location, expires_at) values ($1, $2, 'folder', $3, now() + interval '1 minute')`,
      [id, t.acme.id, id],
    );
    await artifacts.openUpload(id);
    const sweep = () => sweepArtifacts({ database: relay, store: artifacts, graceMs: 0 });
    await sweep();
    expect(await unfinished()).toHaveLength(2);
    await t.owner.query(
      `update longhaul.uploads set expires_at = now() - interval '1 second' where id = $1`,
      [id],
    );
    await sweep();
    expect(await unfinished()).toEqual([{ id }]);
    await t.owner.query(`update longhaul.uploads set deleted_at = now() - interval '31 days' where id = $1`, [
      id,
    ]);
    await sweep();
    expect(await unfinished()).toEqual([]);
  });

  test('and uploads go when their time is over; nothing else does', async () => {
    const [kept, old] = [await upload(await photo()), await upload(await photo())];
    const id = await accept([kept]);
    await runJob(id, [kept]);
    const other = await accept([old]);
    await runJob(other, [old]);
    const sweep = () =>
      sweepArtifacts({ database: relay, store: resources.artifacts, graceMs: 0, now: new Date() });
    await sweep();
    expect(
      [await filesOf(id), await filesOf(other), await filesOf(kept)].map(({ length }) => length),
    ).toEqual([4, 4, 1]);
    const past = `now() - interval '1 second'`;
    await t.owner.query(`update longhaul.uploads set expires_at = ${past} where id = $1`, [old]);
    await t.owner.query(`update longhaul.rendition_files set expires_at = ${past} where job_id = $1`, [
      other,
    ]);
    await t.owner.query(`update longhaul.artifacts set expires_at = ${past} where job_id = $1`, [other]);
    expect(await sweep()).toMatchObject({ expired: 5 });
    expect([await filesOf(id), await filesOf(other), await filesOf(old)].map(({ length }) => length)).toEqual(
      [4, 0, 0],
    );
    expect((await t.call('GET', `/uploads/${old}`)).status).toBe(404);
    expect((await t.call('GET', `/jobs/${other}/renditions/${old}/thumb`)).json.code).toBe('result_expired');
  });
});

/** A JPEG whose end is so far away. */
function padded(length: number): Buffer {
  const start = Buffer.from(
    'ffd8ffe000104a46494600010100000100010000ffc0001108003c007803012200021101031101',
    'hex',
  );
  return Buffer.concat([start, Buffer.alloc(length - start.length)]);
}

function cut(bytes: Buffer): Buffer {
  return bytes.subarray(0, Math.floor(bytes.length / 2));
}
