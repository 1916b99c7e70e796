import pg from 'pg';
import { expect, test } from 'vitest';
import { sourceFailure } from '../../../activities/report-export/failures.js';
import { SnapshotGone } from '../../../libs/datasets/sources.js';
import { HoldLost, Transient } from '../../../libs/saga/failure.js';

test('a snapshot nobody knows is the loss of its keeper: the block starts over at once', () => {
  expect(sourceFailure(new SnapshotGone(undefined))).toBeInstanceOf(HoldLost);
});

test('a source that broke off has certainly changed nothing', () => {
  const error = Object.assign(new pg.DatabaseError('no', 2, 'error'), { code: '57P01' });
  expect(sourceFailure(error)).toBeInstanceOf(Transient);
  expect(sourceFailure(error)).toMatchObject({ certainty: 'no' });
});
