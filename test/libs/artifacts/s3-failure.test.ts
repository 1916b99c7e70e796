import { expect, test } from 'vitest';
import { StoreFailure } from '../../../libs/artifacts/artifact-store.js';
import { s3Answer, s3Failure } from '../../../libs/artifacts/s3-failure.js';

function errorOf(name: string, status?: number, code?: string): Error {
  return Object.assign(new Error('words'), {
    name,
    ...(code === undefined ? {} : { code }),
    ...(status === undefined ? {} : { $metadata: { httpStatusCode: status } }),
  });
}

test.each([
  ['SlowDown', 503, undefined, 'busy'],
  ['InternalError', 500, undefined, 'busy'],
  ['Unknown', 502, undefined, 'busy'],
  ['TooManyRequests', 429, undefined, 'busy'],
  ['ConditionalRequestConflict', 409, undefined, 'busy'],
  ['RequestTimeout', 400, undefined, 'busy'],
  ['BadDigest', 400, undefined, 'busy'],
  ['TimeoutError', undefined, undefined, 'busy'],
  ['Error', undefined, 'ECONNREFUSED', 'busy'],
  ['Error', undefined, 'ENOTFOUND', 'busy'],
  ['AccessDenied', 403, undefined, 'denied'],
  ['Unknown', 403, undefined, 'denied'],
  ['InvalidAccessKeyId', 403, undefined, 'denied'],
  ['NoSuchBucket', 404, undefined, 'denied'],
  ['PermanentRedirect', 301, undefined, 'denied'],
  ['CredentialsProviderError', undefined, undefined, 'denied'],
  ['EntityTooSmall', 400, undefined, 'refused'],
  ['MethodNotAllowed', 405, undefined, 'refused'],
])('%s (%s, %s) is %s', (name, status, code, verdict) => {
  const failure = s3Failure(errorOf(name, status, code));
  expect(failure).toBeInstanceOf(StoreFailure);
  expect(failure).toMatchObject({ verdict, code: code ?? name });
});

test('what is none of S3’s comes back as it was', () => {
  for (const error of [
    errorOf('AbortError'),
    new TypeError('a bug'),
    'text',
    errorOf('Error', undefined, 'ENOSPC'),
  ])
    expect(s3Failure(error)).toBe(error);
});

test.each([
  ['NoSuchUpload', 404, 'upload-gone'],
  ['NoSuchKey', 404, 'absent'],
  ['NotFound', 404, 'absent'],
  ['PreconditionFailed', 412, 'exists'],
  ['Unknown', 412, 'exists'],
  ['NoSuchBucket', 404, undefined],
  ['AccessDenied', 403, undefined],
])('%s (%s) answers: %s', (name, status, answer) => {
  expect(s3Answer(errorOf(name, status))).toBe(answer);
});
