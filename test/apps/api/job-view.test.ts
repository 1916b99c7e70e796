import { describe, expect, test } from 'vitest';
import { previewCancel } from '../../../apps/api/jobs/cancel.preview.js';
import { children } from '../../../libs/saga/children.js';
import { hashOf, sightOf } from '../../../apps/api/jobs/job.view.js';
import type { EffectRecord, JobRecord } from '../../../libs/store/jobs.store.js';
import { notes } from './kinds.js';

const now = new Date('2026-01-01T00:10:00.000Z');
const context = {
  definition: notes,
  publicUrl: 'http://api',
  temporal: { uiUrl: undefined, namespace: 'default' },
  result: null,
  unpolled: [],
  now,
};

function record(change: Partial<JobRecord> = {}): JobRecord {
  return {
    id: '01890000-0000-7000-8000-000000000000',
    tenantId: '01890000-0000-7000-8000-000000000001',
    kind: 'note.write',
    key: 'k',
    status: 'STARTED',
    phase: 'forward',
    revision: 3,
    createdAt: new Date('2026-01-01T00:00:00.000Z'),
    startedAt: new Date('2026-01-01T00:00:01.000Z'),
    committedAt: null,
    cancelRequestedAt: null,
    endedAt: null,
    deadlineAt: new Date('2026-01-01T01:00:00.000Z'),
    compensated: null,
    skipped: [],
    leftovers: [],
    result: null,
    error: null,
    attemptOf: null,
    viewHash: null,
    view: null,
    effects: [],
    park: null,
    artifact: null,
    kin: { parent: null, children: null },
    delayUntil: null,
    callback: null,
    schedule: null,
    scheduledAt: null,
    ...change,
  };
}

const park = {
  ...{ number: 1, step: 'write', item: null, undo: false, doubt: true },
  since: '2026-01-01T00:09:30.123456+00:00',
};

function effect(change: Partial<EffectRecord> = {}): EffectRecord {
  return {
    name: 'write',
    item: -1,
    generation: 0,
    seq: 1,
    kind: 'compensable',
    undo: 'erase',
    state: 'claimed',
    attempt: 1,
    failed: false,
    lastError: null,
    nextAttemptAt: null,
    startedAt: '2026-01-01T00:09:00.123456+00:00',
    finishedAt: null,
    updatedAt: '2026-01-01T00:09:30.000000+00:00',
    progress: null,
    ...change,
  };
}

const answered = (state: object) => ({ state: { phase: 'forward', steps: [], ...state } as never, at: now });

describe('a job with children', () => {
  const steps = { pay: children({ pool: 'io', of: notes }), close: notes.steps.look };
  const batch = { ...context, definition: { ...notes, steps } as never };
  const counts = { total: 8, open: 6, parked: 1, succeeded: 1, failed: 1, cancelled: 0 };
  const parkedJobs = [{ id: 'child', kind: 'note.write', key: null, step: 'show' }];
  const started = record({
    effects: [effect({ name: 'pay', state: 'done', finishedAt: '2026-01-01T00:09:01+00:00' })],
    kin: { parent: 'parent', children: { ...counts, parkedJobs } },
  });

  test('counts them by state, names those that are parked, and says where the rest are', () => {
    const { parent, children: shown, links } = sightOf(started, undefined, batch);
    expect(parent).toBe('parent');
    expect(shown).toEqual({
      ...counts,
      parkedJobs: [{ ...parkedJobs[0], links: { self: 'http://api/jobs/child' } }],
    });
    expect(links.children).toBe(`http://api/jobs?parent=${started.id}`);
  });

  test('is as far as they are', () => {
    expect(sightOf(started, undefined, batch).progress).toMatchObject({
      done: 2,
      total: 8,
      unit: 'jobs',
      percent: 12.5,
    });
  });

  test.each([
    ['running', undefined, 'running'],
    ['waiting for them', 'waiting', 'running'],
    ['taking them back', 'undoing', 'undoing'],
    ['past them', 'done', 'done'],
  ])('whose saga is %s shows its step so', (_, said, status) => {
    const state =
      said === undefined
        ? undefined
        : answered({ steps: [{ name: 'pay', kind: 'compensable', status: said }] });
    expect(sightOf(started, state, batch).steps[0]).toMatchObject({ name: 'pay', status });
  });

  test('has a new revision when one of them ends', () => {
    const later = {
      ...started,
      kin: { parent: 'parent', children: { ...counts, open: 5, failed: 2, parkedJobs } },
    };
    expect(hashOf(sightOf(later, undefined, batch))).not.toEqual(hashOf(sightOf(started, undefined, batch)));
  });
});

describe('steps', () => {
  test.each([
    [{ state: 'claimed' }, 'running'],
    [{ state: 'claimed', nextAttemptAt: '2026-01-01T00:09:40+00:00' }, 'retrying'],
    [{ state: 'claimed', failed: true }, 'failed'],
    [{ state: 'done' }, 'done'],
    [{ state: 'undoing' }, 'undoing'],
    [{ state: 'undone' }, 'undone'],
    [{ state: 'kept' }, 'skipped'],
  ] as const)('a ledger row %j is %s', (row, status) => {
    const sight = sightOf(record({ effects: [effect(row)] }), undefined, context);
    expect(sight.steps.find((step) => step.name === 'write')?.status).toBe(status);
  });

  test('a kept undo is a leftover; a parked step is parked', () => {
    const kept = record({ effects: [effect({ state: 'kept' })], leftovers: [{ step: 'write' }] });
    expect(sightOf(kept, undefined, context).steps[1]?.status).toBe('leftover');
    const parked = record({ effects: [effect()], park });
    expect(sightOf(parked, undefined, context)).toMatchObject({ phase: 'parked', status: 'STARTED' });
    expect(sightOf(parked, undefined, context).steps[1]?.status).toBe('parked');
  });

  test.each([
    [
      'a parked one for a person',
      { park },
      'Waits for a person since 2026-01-01T00:09:30.123Z: park 1, write; nobody can tell whether it happened',
    ],
    [
      'an undo for a person',
      { park: { ...park, undo: true, doubt: false, item: 3 } },
      'Waits for a person since 2026-01-01T00:09:30.123Z: park 1, undo of write 3',
    ],
    [
      'one that has not begun for a worker',
      { status: 'PENDING' },
      'Waits for a worker: nobody polls notes-io',
    ],
    ['one under way for nothing', {}, null],
  ] as const)('a job that stands still says what it waits for: %s', (_, change, message) => {
    const { progress } = sightOf(record(change), undefined, { ...context, unpolled: ['notes-io'] });
    expect(progress.message).toBe(message);
  });

  test('are in the definition’s order, members by number, of the latest generation; waiting ones vanish at the end', () => {
    const effects = [
      effect({ item: 1, generation: 0, state: 'undone' }),
      effect({ item: 1, generation: 1, state: 'done' }),
      effect({ item: 0, generation: 1 }),
      effect({ name: 'look', kind: 'readOnly', undo: null, state: 'done' }),
    ];
    const { steps } = sightOf(record({ effects }), undefined, context);
    expect(steps.map(({ name, item, status }) => [name, item, status])).toEqual([
      ['look', undefined, 'done'],
      ['write', 0, 'running'],
      ['write', 1, 'done'],
      ['show', undefined, 'waiting'],
    ]);
    const ended = sightOf(
      record({ effects, status: 'FAILED', phase: 'done', endedAt: now }),
      undefined,
      context,
    );
    expect(ended.steps.map(({ name }) => name)).toEqual(['look', 'write', 'write']);
    expect(ended.steps[1]?.status).toBe('failed');
  });

  test('a saga’s word counts where the ledger has none', () => {
    const state = answered({ steps: [{ name: 'look', kind: 'readOnly', status: 'running' }] });
    expect(sightOf(record(), state, context).steps[0]).toEqual({
      name: 'look',
      kind: 'readOnly',
      status: 'running',
      attempt: 0,
    });
  });
});

describe('progress', () => {
  const running = [
    effect({
      name: 'look',
      kind: 'readOnly',
      undo: null,
      state: 'done',
      progress: { total: 200, unit: 'rows' },
    }),
    effect({
      item: 0,
      state: 'done',
      finishedAt: '2026-01-01T00:09:30+00:00',
      progress: { done: 100, bytes: 10 },
    }),
    effect({ item: 1, progress: { done: 20, bytes: 2, message: 'at it' } }),
    effect({ item: 2, state: 'undone', progress: { done: 50, bytes: 5 } }),
  ];

  test('sums what is not undone, and tells pace and end from it', () => {
    const { progress } = sightOf(record({ effects: running }), answered({}), context);
    expect(progress).toEqual({
      percent: 60,
      message: 'at it',
      done: 120,
      total: 200,
      unit: 'rows',
      bytes: 12,
      ratePerSecond: 2,
      etaSeconds: 40,
    });
  });

  test('has no percentage while the whole is being counted beside the work', () => {
    const [counting, ...parts] = running;
    const effects = [{ ...counting!, state: 'claimed' as const, progress: { unit: 'rows' } }, ...parts];
    const { progress } = sightOf(record({ effects }), answered({}), context);
    expect(progress).toMatchObject({ percent: 0, done: 120, total: null, unit: 'rows', etaSeconds: null });
  });

  test('keeps the high-water mark while compensating and after a failure', () => {
    const view = { phase: 'forward', percent: 80, asOf: now.toISOString() };
    expect(sightOf(record({ effects: running, view }), answered({}), context).progress.percent).toBe(80);
    const failed = record({ effects: [], view, status: 'FAILED', phase: 'done', endedAt: now });
    expect(sightOf(failed, undefined, context).progress.percent).toBe(80);
  });
});

describe('the revision’s hash', () => {
  test('does not know of time, staleness and pace, and knows of everything else', () => {
    const base = hashOf(sightOf(record({ effects: [effect()] }), answered({}), context));
    const later = { ...context, now: new Date('2026-01-01T00:20:00.000Z') };
    expect(hashOf(sightOf(record({ effects: [effect()] }), undefined, later))).toEqual(base);
    for (const change of [
      { effects: [effect({ attempt: 2 })] },
      { effects: [effect({ progress: { bytes: 1 } })] },
      { effects: [effect()], status: 'PENDING' as const },
      { effects: [effect()], leftovers: [{}] },
    ]) {
      expect(hashOf(sightOf(record(change), answered({}), context))).not.toEqual(base);
    }
  });
});

test('a preview tells of a pivot that has begun, and of one that a person must settle', () => {
  const effects = [effect({ name: 'pay', kind: 'pivot', undo: null, state: 'claimed' })];
  const waitsFor = { step: 'pay', parked: false };
  expect(previewCancel(record({ effects }))).toEqual({ possible: true, waitsFor, wouldUndo: [] });
  expect(previewCancel(record({ effects, park: { ...park, step: 'pay' } }))).toMatchObject({
    waitsFor: { parked: true },
  });
  const notDone = effect({ name: 'pay', kind: 'pivot', undo: null, state: 'undone' });
  expect(previewCancel(record({ effects: [notDone] }))).toEqual({ possible: true, wouldUndo: [] });
});

test('a preview undoes in reverse order what is not undone yet', () => {
  const effects = [
    effect({ seq: 1, item: 0, state: 'done' }),
    effect({ seq: 2, item: 1, state: 'undone' }),
    effect({ seq: 3, item: 2, state: 'claimed' }),
    effect({ seq: 4, name: 'look', undo: null }),
  ];
  expect(previewCancel(record({ effects }))).toEqual({
    possible: true,
    wouldUndo: [
      { step: 'write', item: 2, undo: 'erase' },
      { step: 'write', item: 0, undo: 'erase' },
    ],
  });
  expect(previewCancel(record({ status: 'SUCCEEDED', endedAt: now }))).toMatchObject({
    possible: false,
    reason: 'job_finished',
  });
  expect(previewCancel(record({ committedAt: now }))).toMatchObject({ possible: false, reason: 'too_late' });
  expect(previewCancel(record({ status: 'CANCELLED', endedAt: now }))).toMatchObject({
    reason: 'already_cancelled',
  });
});
