import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { v7 as uuidv7 } from 'uuid';
import { createCodec, type Codec } from '../../../libs/temporal/codec.js';
import { createDataConverter } from '../../../libs/temporal/data-converter.js';
import { JOB_ID_METADATA } from '../../../libs/temporal/payload.codec.js';
import { createTenantJobs, type TenantJobs } from '../../support/tenant-jobs.js';

let jobs: TenantJobs;
let codec: Codec;
beforeAll(async () => {
  jobs = await createTenantJobs();
  codec = createCodec({ cipher: jobs.cipher, database: jobs.app });
});
afterAll(() => jobs.close());

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const plain = { metadata: { encoding: base64('json/plain') }, data: base64('"hello"') };
const dataOf = (payload: unknown): string =>
  Buffer.from((payload as { data: string }).data, 'base64').toString('latin1');

describe('the codec server', () => {
  it('seals for a job and opens again', async () => {
    const [jobId = ''] = await jobs.accept('test.job');
    const sealed = await codec.encodePayloads({ payloads: [plain] }, jobId);
    expect(dataOf(sealed.payloads[0])).not.toContain('hello');
    expect(await codec.encodePayloads(sealed)).toEqual(sealed);
    expect(await codec.decodePayloads(sealed)).toEqual({ payloads: [plain] });
  });

  it('leaves plain payloads as they are when it decodes, and refuses to encode them for nobody', async () => {
    expect(await codec.decodePayloads({ payloads: [plain] })).toEqual({ payloads: [plain] });
    await expect(codec.encodePayloads({ payloads: [plain] })).rejects.toMatchObject({
      code: 'invalid_codec_body',
    });
  });

  it('does not open a payload that claims to belong to another job, and says so in its place', async () => {
    const [jobId = '', other = ''] = await jobs.accept('test.job', 2);
    const { payloads } = await codec.encodePayloads({ payloads: [plain] }, jobId);
    const [sealed] = payloads as [{ metadata: Record<string, string>; data: string }];
    for (const claimed of [other, uuidv7(), '', 'x']) {
      const moved = { ...sealed, metadata: { ...sealed.metadata, [JOB_ID_METADATA]: base64(claimed) } };
      const opened = await codec.decodePayloads({ payloads: [moved, sealed] });
      expect(dataOf(opened.payloads[0])).toMatch(/^"\[unreadable: (sealed_invalid|job_unknown)\]/);
      expect(opened.payloads[1]).toEqual(plain);
    }
  });

  it.each([
    null,
    7,
    'x',
    [],
    {},
    { payloads: {} },
    { payloads: [1] },
    { payloads: [{ metadata: { a: 1 } }] },
  ])('refuses the body %j', async (body) => {
    await expect(codec.decodePayloads(body)).rejects.toMatchObject({ code: 'invalid_codec_body' });
  });
});

describe('the payload codec', () => {
  it('refuses to send what belongs to no job, and to read what belongs to another', async () => {
    const [jobId = '', other = ''] = await jobs.accept('test.job', 2);
    const { dataConverter } = createDataConverter({ cipher: jobs.cipher, database: jobs.worker });
    const [payloadCodec] = dataConverter.payloadCodecs ?? [];
    if (payloadCodec === undefined) throw new Error('No codec');
    const payload = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"x"') };
    const of = (workflowId: string) => ({ type: 'workflow' as const, namespace: 'n', workflowId });
    await expect(payloadCodec.encode([payload])).rejects.toMatchObject({ code: 'payload_without_job' });
    await expect(payloadCodec.encode([payload], of('cron'))).rejects.toMatchObject({
      code: 'payload_without_job',
    });
    await expect(payloadCodec.encode([payload], of(uuidv7()))).rejects.toMatchObject({ code: 'job_unknown' });
    const sealed = await payloadCodec.encode([payload], of(jobId));
    expect(await payloadCodec.decode(sealed, of(`${jobId}/recover/1`))).toMatchObject([payload]);
    await expect(payloadCodec.decode(sealed, of(other))).rejects.toMatchObject({ code: 'sealed_invalid' });
  });
});
