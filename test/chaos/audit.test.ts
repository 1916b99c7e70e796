/** The audit of a chaos run, held against evidence with one thing wrong: it must see each. */
import { expect, test } from 'vitest';
import { audit } from '../../scripts/chaos/audit.js';
import type { EffectRow, Evidence, JobRow } from '../../scripts/chaos/evidence.js';
import type { Asked } from '../../scripts/chaos/submitting.js';
import type { Job } from '../../libs/client/job.types.js';

const AT = new Date('2026-01-01T00:00:00.000Z');

function rowOf(id: string, status: string, more: Partial<JobRow> = {}): JobRow {
  return {
    id,
    tenant: 'a',
    kind: 'report.export',
    status,
    phase: 'done',
    startedAt: AT,
    endedAt: AT,
    cancelRequestedAt: null,
    ...more,
  };
}

function shownOf({ id, status, endedAt }: JobRow, more: Partial<Job> = {}): Job {
  return { id, status, finishedAt: endedAt?.toISOString() ?? null, leftovers: [], ...more } as unknown as Job;
}

function askedFor(number: number, jobId: string, more: Partial<Asked> = {}, cancelAfterMs?: number): Asked {
  const plan = { number, atMs: number, kind: 'report.export', tenant: 'a', input: { number } };
  return {
    plan: cancelAfterMs === undefined ? plan : { ...plan, cancelAfterMs },
    answers: [{ outcome: 'accepted', jobId }],
    failures: [],
    ...more,
  };
}

function effectOf(jobId: string, step: string, more: Partial<EffectRow> = {}): EffectRow {
  return {
    jobId,
    step,
    item: -1,
    generation: 0,
    stepKind: 'compensable',
    effect: 'keyed',
    state: 'done',
    failed: false,
    doubt: false,
    leaseUntil: null,
    attempt: 1,
    undoAttempt: 0,
    ...more,
  };
}

/** Three jobs that ended as they should: one well, one cancelled in time, one cancelled before it was sent. */
function sound(): Evidence {
  const jobs = [
    rowOf('well', 'SUCCEEDED'),
    rowOf('stopped', 'CANCELLED', { cancelRequestedAt: AT }),
    rowOf('unsent', 'CANCELLED', { startedAt: null }),
  ];
  return {
    asked: [
      askedFor(1, 'well', {
        answers: [
          { outcome: 'accepted', jobId: 'well' },
          { outcome: 'duplicate', jobId: 'well' },
        ],
      }),
      askedFor(2, 'stopped', { cancel: 'taken' }, 100),
      askedFor(3, 'unsent', { cancel: 'taken' }, 0),
    ],
    children: [],
    jobs,
    shown: new Map(jobs.map((job) => [job.id, shownOf(job)])),
    seenEnds: [{ jobId: 'well', status: 'SUCCEEDED', endedAt: AT.toISOString() }],
    effects: [
      effectOf('well', 'render'),
      effectOf('well', 'publish', { stepKind: 'pivot' }),
      effectOf('stopped', 'render', { state: 'undone', failed: true, doubt: true }),
      effectOf('stopped', 'pay', { stepKind: 'pivot', state: 'claimed', failed: true }),
      effectOf('stopped', 'plan', { stepKind: 'readOnly', effect: 'none', state: 'claimed' }),
    ],
    outbox: [],
    deadLetters: [],
    locks: [],
    artifacts: [{ jobId: 'well', location: 'well.0' }],
    workflows: [
      { workflowId: 'well', runId: '1', status: 'completed' },
      { workflowId: 'stopped', runId: '2', status: 'canceled' },
    ],
    store: { uploads: [], published: ['well.0'], trash: [] },
  };
}

test('sound evidence holds no violation', () => {
  expect(audit(sound())).toEqual([]);
});

interface Doctored {
  readonly name: string;
  readonly rule: string;
  readonly change: (evidence: Evidence) => Partial<Evidence>;
}

const first = <T>(values: readonly T[]): T => values[0] as T;
const job = (evidence: Evidence, id: string, more: Partial<JobRow>): Partial<Evidence> => {
  const jobs = evidence.jobs.map((row) => (row.id === id ? { ...row, ...more } : row));
  return { jobs, shown: new Map(jobs.map((row) => [row.id, shownOf(row)])), seenEnds: [] };
};
const ONE_END = 'every job has exactly one end';
const AGREE = 'job and workflow agree';
const STORE = 'the store holds what succeeded, and nothing else';
const CANCELS = 'a cancel is honoured, or refused for a reason';
const TWICE = 'the same job twice is one';
const KEPT = 'accepted is kept';

const DOCTORED: readonly Doctored[] = [
  {
    name: 'a request that failed',
    rule: 'every request is answered',
    change: ({ asked }) => ({ asked: [{ ...first(asked), failures: ['500'] }, ...asked.slice(1)] }),
  },
  {
    name: 'a request without any answer, whose job is not there either',
    rule: 'every request is answered',
    change: ({ asked }) => ({ asked: [...asked, { ...askedFor(4, ''), answers: [] }] }),
  },
  {
    name: 'one job that became two',
    rule: TWICE,
    change: ({ asked }) => ({
      asked: asked.map((one) =>
        one.plan.number === 1
          ? { ...one, answers: [...one.answers, { outcome: 'accepted' as const, jobId: 'stopped' }] }
          : one,
      ),
    }),
  },
  {
    name: 'two different jobs that became one',
    rule: TWICE,
    change: ({ asked }) => ({ asked: [...asked, askedFor(4, 'well')] }),
  },
  {
    name: 'an accepted job that is not there',
    rule: KEPT,
    change: ({ asked }) => ({ asked: [...asked, askedFor(4, 'lost')] }),
  },
  {
    name: 'a job that nobody was told of',
    rule: KEPT,
    change: ({ jobs, shown, workflows, ...rest }) => ({
      ...rest,
      jobs: [...jobs, rowOf('extra', 'SUCCEEDED')],
      shown: new Map([...shown, ['extra', shownOf(rowOf('extra', 'SUCCEEDED'))]]),
      workflows: [...workflows, { workflowId: 'extra', runId: '3', status: 'completed' }],
    }),
  },
  {
    name: 'a job that has not ended',
    rule: ONE_END,
    change: (evidence) => job(evidence, 'well', { status: 'STARTED', phase: 'forward', endedAt: null }),
  },
  {
    name: 'a job whose API shows another end',
    rule: ONE_END,
    change: ({ shown }) => ({
      shown: new Map([...shown, ['well', shownOf(rowOf('well', 'FAILED'))]]),
    }),
  },
  {
    name: 'an end that changed after it was seen',
    rule: ONE_END,
    change: () => ({ seenEnds: [{ jobId: 'well', status: 'FAILED', endedAt: AT.toISOString() }] }),
  },
  {
    name: 'a leftover',
    rule: 'nothing is left over',
    change: ({ shown }) => ({
      shown: new Map([
        ...shown,
        ['stopped', shownOf(rowOf('stopped', 'CANCELLED'), { leftovers: [{ step: 'render' }] })],
      ]),
    }),
  },
  {
    name: 'a cancelled job that nobody cancelled',
    rule: CANCELS,
    change: ({ asked }) => ({
      asked: asked.map((one) => (one.plan.number === 3 ? askedFor(3, 'unsent') : one)),
    }),
  },
  {
    name: 'a cancelled job whose cancel was refused',
    rule: CANCELS,
    change: ({ asked }) => ({
      asked: asked.map((one) => (one.plan.number === 2 ? { ...one, cancel: 'too_late' } : one)),
    }),
  },
  {
    name: 'a cancel that was taken and forgotten',
    rule: CANCELS,
    change: ({ asked }) => ({
      asked: asked.map((one) => (one.plan.number === 1 ? { ...one, cancel: 'taken' } : one)),
    }),
  },
  {
    name: 'a workflow that runs on after its job has ended',
    rule: AGREE,
    change: () => ({
      workflows: [
        { workflowId: 'well', runId: '1', status: 'running' },
        { workflowId: 'stopped', runId: '2', status: 'canceled' },
      ],
    }),
  },
  {
    name: 'a job with two executions',
    rule: AGREE,
    change: ({ workflows }) => ({
      workflows: [...workflows, { workflowId: 'well', runId: '9', status: 'completed' }],
    }),
  },
  {
    name: 'a job that succeeded without a workflow',
    rule: AGREE,
    change: ({ workflows }) => ({ workflows: workflows.slice(1) }),
  },
  {
    name: 'a workflow of no job',
    rule: AGREE,
    change: ({ workflows }) => ({
      workflows: [...workflows, { workflowId: 'nobody', runId: '9', status: 'running' }],
    }),
  },
  {
    name: 'an effect that is still claimed',
    rule: 'the ledger is settled',
    change: ({ effects }) => ({ effects: [...effects, effectOf('well', 'announce', { state: 'claimed' })] }),
  },
  {
    name: 'a failed attempt in doubt',
    rule: 'the ledger is settled',
    change: ({ effects }) => ({
      effects: [
        ...effects,
        effectOf('stopped', 'pay', { state: 'claimed', failed: true, doubt: true, item: 1 }),
      ],
    }),
  },
  {
    name: 'a failed attempt beside one that may still act',
    rule: 'the ledger is settled',
    change: ({ effects }) => ({
      effects: [
        ...effects,
        effectOf('stopped', 'pay', { state: 'claimed', failed: true, leaseUntil: AT, item: 1 }),
      ],
    }),
  },
  {
    name: 'an undo that is not done',
    rule: 'the ledger is settled',
    change: ({ effects }) => ({
      effects: [...effects, effectOf('stopped', 'render', { item: 1, state: 'undoing' })],
    }),
  },
  {
    name: 'an effect that stands although its job was cancelled',
    rule: 'all or nothing',
    change: ({ effects }) => ({
      effects: [...effects, effectOf('stopped', 'publish', { stepKind: 'pivot' })],
    }),
  },
  {
    name: 'a row of the outbox that was not sent',
    rule: 'the outbox is empty',
    change: () => ({ outbox: [{ jobId: 'well', message: 'start', attempts: 3, lastError: 'no' }] }),
  },
  ...(['well', 'parked'] as const).map((jobId) => ({
    name: `an open dead letter of a job that ${jobId === 'well' ? 'has ended' : 'is parked'}`,
    rule: jobId === 'well' ? 'no dead letter of an ended job is open' : 'no job stays parked',
    change: (): Partial<Evidence> => ({
      deadLetters: [
        {
          id: '1',
          jobId,
          park: 1,
          step: 'publish',
          item: null,
          undo: false,
          doubt: true,
          attempts: 12,
          lastError: null,
        },
      ],
    }),
  })),
  {
    name: 'a lock that is held',
    rule: 'no lock is left',
    change: () => ({ locks: [{ jobId: 'well', name: 'funds/1' }] }),
  },
  {
    name: 'an upload that is left',
    rule: STORE,
    change: ({ store }) => ({ store: { ...store, uploads: ['stopped.0'] } }),
  },
  {
    name: 'a remainder in the trash',
    rule: STORE,
    change: ({ store }) => ({ store: { ...store, trash: ['grave'] } }),
  },
  {
    name: 'a file published twice',
    rule: STORE,
    change: ({ store }) => ({ store: { ...store, published: ['well.0', 'well.1'] } }),
  },
  {
    name: 'a file that is announced and missing',
    rule: STORE,
    change: ({ store }) => ({ store: { ...store, published: [] } }),
  },
  {
    name: 'a kind of which nothing succeeded',
    rule: 'the run proves something',
    change: (evidence) => job(evidence, 'well', { status: 'FAILED' }),
  },
  {
    name: 'a file of a job that was cancelled',
    rule: STORE,
    change: ({ store, artifacts }) => ({
      artifacts: [...artifacts, { jobId: 'stopped', location: 'stopped.0' }],
      store: { ...store, published: ['stopped.0', 'well.0'] },
    }),
  },
];

test.each(DOCTORED)('$name is a violation', ({ rule, change }) => {
  const evidence = sound();
  const violations = audit({ ...evidence, ...change(evidence) });
  expect(violations.map((violation) => violation.rule)).toContain(rule);
});
