import pg from 'pg';
import { expect, test } from 'vitest';
import { sourceFailure, storeFailure } from '../../../activities/report-export/failures.js';
import { StoreFailure, UploadAborted, type StoreVerdict } from '../../../libs/artifacts/artifact-store.js';
import { SnapshotGone, SourceBusy } from '../../../libs/datasets/sources.js';
import { Deferred, Denied, HoldLost, Rejected, Transient } from '../../../libs/saga/failure.js';

test('a snapshot nobody knows is the loss of its keeper: the block starts over at once', () => {
  expect(sourceFailure(new SnapshotGone(undefined))).toBeInstanceOf(HoldLost);
});

test('a source whose connections are all in use is waited for, which costs no attempt', () => {
  expect(sourceFailure(new SourceBusy(undefined))).toBeInstanceOf(Deferred);
});

test('a source that broke off has certainly changed nothing', () => {
  const error = Object.assign(new pg.DatabaseError('no', 2, 'error'), { code: '57P01' });
  expect(sourceFailure(error)).toBeInstanceOf(Transient);
  expect(sourceFailure(error)).toMatchObject({ certainty: 'no' });
});

test('a store that is a server says who can mend it', () => {
  const failureOf = (verdict: StoreVerdict): unknown =>
    storeFailure(new StoreFailure(verdict, 'Word'), 'unknown');
  expect(failureOf('busy')).toBeInstanceOf(Transient);
  expect(failureOf('busy')).toMatchObject({ certainty: 'unknown' });
  expect(failureOf('denied')).toBeInstanceOf(Denied);
  expect(failureOf('refused')).toBeInstanceOf(Rejected);
  expect(storeFailure(new UploadAborted('a/0'), 'no')).toBeInstanceOf(Rejected);
});
