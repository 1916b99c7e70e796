import { expect, test } from 'vitest';
import { readSettings, type S3Settings } from '../../../libs/config/settings.js';

const REQUIRED = {
  DATABASE_URL: 'postgres://localhost/longhaul',
  TEMPORAL_ADDRESS: 'localhost:7233',
  LONGHAUL_MASTER_KEY: Buffer.alloc(32).toString('base64'),
};
const s3Of = (env: NodeJS.ProcessEnv): S3Settings | undefined => readSettings({ ...REQUIRED, ...env }).s3;

test('artifacts stay in the folder where no bucket is named', () => {
  expect(s3Of({})).toBeUndefined();
  expect(s3Of({ AWS_REGION: 'eu-central-1' })).toBeUndefined();
});

test('a bucket alone is one of AWS, with the SDK’s own credentials', () => {
  expect(s3Of({ S3_BUCKET: 'reports', AWS_REGION: 'eu-central-1' })).toEqual({
    bucket: 'reports',
    endpoint: undefined,
    publicEndpoint: undefined,
    region: 'eu-central-1',
    credentials: undefined,
    forcePathStyle: false,
    prefix: '',
  });
});

test('a server of one’s own is asked in path style, unless told otherwise', () => {
  const own = {
    S3_BUCKET: 'reports',
    S3_ENDPOINT: 'http://minio:9000',
    S3_ACCESS_KEY_ID: 'id',
    S3_SECRET_ACCESS_KEY: 'secret',
    S3_PREFIX: 'a/b',
  };
  expect(s3Of(own)).toMatchObject({
    forcePathStyle: true,
    region: 'us-east-1',
    prefix: 'a/b/',
    credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
  });
  expect(s3Of({ ...own, S3_FORCE_PATH_STYLE: 'false' })).toMatchObject({ forcePathStyle: false });
});

test('workers have no version unless the environment names one, wholly', () => {
  const versionOf = (env: NodeJS.ProcessEnv) => readSettings({ ...REQUIRED, ...env }).temporal.version;
  expect(versionOf({})).toBeUndefined();
  const named = { TEMPORAL_DEPLOYMENT_NAME: 'longhaul', TEMPORAL_WORKER_BUILD_ID: '1.4.2' };
  expect(versionOf(named)).toEqual({ deploymentName: 'longhaul', buildId: '1.4.2' });
});

test.each([
  [{ TEMPORAL_DEPLOYMENT_NAME: 'longhaul' }, 'TEMPORAL_WORKER_BUILD_ID: is missing'],
  [{ TEMPORAL_WORKER_BUILD_ID: '1.4.2' }, 'TEMPORAL_DEPLOYMENT_NAME: is missing'],
  [
    { TEMPORAL_DEPLOYMENT_NAME: 'long.haul', TEMPORAL_WORKER_BUILD_ID: '1' },
    'TEMPORAL_DEPLOYMENT_NAME: must',
  ],
  [{ S3_ENDPOINT: 'http://minio:9000' }, 'S3_BUCKET: is missing'],
  [{ S3_BUCKET: 'reports', S3_ACCESS_KEY_ID: 'id' }, 'S3_SECRET_ACCESS_KEY: is missing'],
  [{ S3_BUCKET: 'Reports/2026' }, 'S3_BUCKET: must be'],
  [{ S3_BUCKET: 'reports', S3_ENDPOINT: 'minio:9000' }, 'S3_ENDPOINT:'],
  [{ PAYMENT_PROVIDER_URL: 'http://localhost:4000' }, 'PAYMENT_PROVIDER_KEY: is missing'],
  [{ PAYMENT_PROVIDER_KEY: 'key' }, 'PAYMENT_PROVIDER_URL: is missing'],
  [{ S3_BUCKET: 'reports', S3_PREFIX: '/a' }, 'S3_PREFIX: must be'],
  [{ S3_BUCKET: 'reports', S3_FORCE_PATH_STYLE: 'yes' }, 'S3_FORCE_PATH_STYLE:'],
])('%o is refused at boot, by name', (env, message) => {
  expect(() => s3Of(env)).toThrow(message);
});

test('payouts have a provider where one is named', () => {
  expect(readSettings(REQUIRED).payments).toBeUndefined();
  const named = { PAYMENT_PROVIDER_URL: 'http://localhost:4000', PAYMENT_PROVIDER_KEY: 'key' };
  const wanted = { providerUrl: 'http://localhost:4000', providerKey: 'key' };
  expect(readSettings({ ...REQUIRED, ...named }).payments).toEqual(wanted);
});
