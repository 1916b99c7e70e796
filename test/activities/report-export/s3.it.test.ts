/** Exports of the stack as a user runs it, its artifacts in a real S3 server: what is downloaded is what was promised. */
import { execFileSync } from 'node:child_process';
import { ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { parquetReadObjects } from 'hyparquet';
import { readSheet } from 'read-excel-file/node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { s3Missing, startTestS3, type TestS3 } from '../../support/s3.js';
import { newHome, removeHome, sha256, startTestStack, type TestStack } from '../../support/stack.js';

const ENDED_TIMEOUT_MS = 120_000;
const ALL_ROWS = 3_000_000;
/** More than one part's. */
const MANY_ROWS = 600_000;
const FEW_ROWS = 20_000;
const TEXT_BYTES_MAX = 1 << 30;
const missing = await s3Missing();

describe.skipIf(missing !== undefined)(`exports in S3${missing ? `: ${missing}` : ''}`, () => {
  let s3: TestS3;
  let home: string;
  let stack: TestStack;

  beforeAll(async () => {
    s3 = await startTestS3();
    home = await newHome();
    const { bucket, endpoint, credentials } = s3.settings();
    const env = {
      S3_ENDPOINT: `${endpoint}`,
      S3_BUCKET: bucket,
      S3_ACCESS_KEY_ID: `${credentials?.accessKeyId}`,
      S3_SECRET_ACCESS_KEY: `${credentials?.secretAccessKey}`,
      S3_PREFIX: 'reports',
    };
    stack = await startTestStack(home, env, 'shared');
  }, 120_000);
  afterAll(async () => {
    await stack.stop();
    await removeHome(home);
    await s3.close();
  }, 60_000);

  interface Case {
    readonly name: string;
    readonly rows: number;
    readonly input: object;
    readonly filename: string;
    readonly contentType: string;
    /** Rows in the file, as its own reader has them. */
    readonly count: (file: Buffer) => number | Promise<number>;
  }
  const lines = (text: Uint8Array): number => text.reduce((sum, byte) => sum + (byte === 0x0a ? 1 : 0), 0);
  const unpacked = (program: string, args: string[], input: Uint8Array): Buffer =>
    execFileSync(program, args, { input, maxBuffer: TEXT_BYTES_MAX });

  test.each<Case>([
    {
      name: 'CSV of three million rows',
      rows: ALL_ROWS,
      input: { format: 'csv' },
      filename: 'flights-1.csv',
      contentType: 'text/csv; charset=utf-8',
      count: (file) => lines(file) - 1,
    },
    {
      name: 'NDJSON in gzip, of parts below 5 MiB',
      rows: MANY_ROWS,
      input: { format: 'ndjson', compression: 'gzip', filter: { flight_id: { lte: MANY_ROWS } } },
      filename: 'flights-1.ndjson.gz',
      contentType: 'application/gzip',
      count: (file) => lines(unpacked('gunzip', ['-c'], file)),
    },
    {
      name: 'Parquet of several parts and a footer',
      rows: MANY_ROWS,
      input: { format: 'parquet', filter: { flight_id: { lte: MANY_ROWS } } },
      filename: 'flights-1.parquet',
      contentType: 'application/vnd.apache.parquet',
      count: async ({ buffer, byteOffset, byteLength }) => {
        const file = buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
        const [last] = await parquetReadObjects({ file, rowStart: MANY_ROWS - 1 });
        return Number(last?.['flight_id']);
      },
    },
    {
      name: 'a workbook',
      rows: FEW_ROWS,
      input: { format: 'xlsx', filter: { flight_id: { lte: FEW_ROWS } } },
      filename: 'flights-1.xlsx',
      contentType: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
      count: async (file) => (await readSheet(file)).length - 1,
    },
  ])(
    'are downloaded from there, whole, under their name: $name',
    async ({ rows, input, filename, contentType, count }) => {
      const id = await stack.submitExport({ dataset: 'flights', version: 1, ...input });
      expect(await stack.ended(id, ENDED_TIMEOUT_MS)).toMatchObject({ status: 'SUCCEEDED', error: null });

      const answer = await stack.call(`/jobs/${id}/result`, { headers: { accept: 'application/json' } });
      const link = (await answer.json()) as { url: string; bytes: number; sha256: string; rows: number };
      expect(link.rows).toBe(rows);
      expect(new URL(link.url).origin).toBe(s3.endpoint);
      const response = await fetch(link.url);
      const file = Buffer.from(await response.arrayBuffer());
      expect({ bytes: file.length, sha256: sha256(file) }).toEqual({
        bytes: link.bytes,
        sha256: link.sha256,
      });
      expect(await count(file)).toBe(rows);
      expect(response.headers.get('content-disposition')).toBe(
        `attachment; filename="${filename}"; filename*=UTF-8''${filename}`,
      );
      expect(response.headers.get('content-type')).toBe(contentType);
      expect(response.headers.get('content-encoding')).toBeNull();

      const { Contents = [] } = await s3.client.send(new ListObjectsV2Command({ Bucket: 'artifacts' }));
      const { Uploads = [] } = await s3.client.send(new ListMultipartUploadsCommand({ Bucket: 'artifacts' }));
      const keys = Contents.map(({ Key = '' }) => Key);
      expect(keys).toContain(`reports/files/${id}.0`);
      expect(keys.filter((key) => !/^reports\/(files|manifests)\//.test(key))).toEqual([]);
      expect(Uploads).toEqual([]);
    },
    ENDED_TIMEOUT_MS + 30_000,
  );
});
