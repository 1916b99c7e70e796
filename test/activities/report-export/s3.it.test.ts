/** An export of the stack as a user runs it, its artifacts in a real S3 server: what is downloaded is what was promised. */
import { ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { s3Missing, startTestS3, type TestS3 } from '../../support/s3.js';
import {
  eventually,
  newHome,
  removeHome,
  sha256,
  startTestStack,
  type TestJob,
  type TestStack,
} from '../../support/stack.js';

const ENDED_TIMEOUT_MS = 120_000;
const ROWS = 3_000_000;
const missing = await s3Missing();

describe.skipIf(missing !== undefined)(`exports in S3${missing ? `: ${missing}` : ''}`, () => {
  let s3: TestS3;
  let home: string;
  let stack: TestStack;

  beforeAll(async () => {
    s3 = await startTestS3();
    home = await newHome();
    const { bucket, endpoint, credentials } = s3.settings();
    stack = await startTestStack(home, {
      S3_ENDPOINT: `${endpoint}`,
      S3_BUCKET: bucket,
      S3_ACCESS_KEY_ID: `${credentials?.accessKeyId}`,
      S3_SECRET_ACCESS_KEY: `${credentials?.secretAccessKey}`,
      S3_PREFIX: 'reports',
    });
  }, 120_000);
  afterAll(async () => {
    await stack.stop();
    await removeHome(home);
    await s3.close();
  }, 60_000);

  test(
    'are downloaded from there, whole, under their name',
    async () => {
      const input = { dataset: 'flights', version: 1, format: 'csv' };
      const posted = await stack.call('/jobs', {
        method: 'POST',
        body: JSON.stringify({ kind: 'report.export', input }),
      });
      const { id } = (await posted.json()) as TestJob;
      const job = await eventually(
        'the export to end',
        async () => {
          const seen = await stack.job(id);
          return ['SUCCEEDED', 'FAILED', 'CANCELLED'].includes(seen.status) && seen;
        },
        ENDED_TIMEOUT_MS,
      );
      expect(job).toMatchObject({ status: 'SUCCEEDED', error: null });

      const answer = await stack.call(`/jobs/${id}/result`, { headers: { accept: 'application/json' } });
      const link = (await answer.json()) as { url: string; bytes: number; sha256: string; rows: number };
      expect(link.rows).toBe(ROWS);
      expect(new URL(link.url).origin).toBe(s3.endpoint);
      const response = await fetch(link.url);
      const file = new Uint8Array(await response.arrayBuffer());
      expect({ bytes: file.length, sha256: sha256(file) }).toEqual({
        bytes: link.bytes,
        sha256: link.sha256,
      });
      expect(response.headers.get('content-disposition')).toBe(
        `attachment; filename="flights-1.csv"; filename*=UTF-8''flights-1.csv`,
      );
      expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8');

      const { Contents = [] } = await s3.client.send(new ListObjectsV2Command({ Bucket: 'artifacts' }));
      const { Uploads = [] } = await s3.client.send(new ListMultipartUploadsCommand({ Bucket: 'artifacts' }));
      expect(Contents.map(({ Key }) => Key)).toEqual([
        `reports/files/${id}.0`,
        expect.stringMatching(`^reports/manifests/${id}.0/`),
      ]);
      expect(Uploads).toEqual([]);
    },
    ENDED_TIMEOUT_MS + 30_000,
  );
});
