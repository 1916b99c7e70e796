/** What is told of a step's failures is what the saga then does: each shape of step is run into each failure. */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  compensable,
  decision,
  defineJob,
  holder,
  pivot,
  readOnly,
  retriable,
  type AnyStep,
} from '../../../libs/saga/define.js';
import { describeKind } from '../../../libs/saga/describe.js';
import { Denied, Rejected, Transient } from '../../../libs/saga/failure.js';
import type { FailureCase } from '../../../libs/saga/failure-plan.js';
import { runInMemory, type MemoryRun, type MemoryTransaction } from '../../../libs/saga/memory.js';

const base = { pool: 'io', output: z.null(), retry: { attempts: 3, first: '100ms', most: '1s' } } as const;
const SHAPES = {
  readOnly: readOnly(base),
  'compensable own': compensable({ ...base, effect: 'own', undo: 'undoIt' }),
  'compensable keyed': compensable({ ...base, effect: 'keyed', undo: 'undoIt' }),
  'compensable probed': compensable({ ...base, effect: 'probed', undo: 'undoIt', probe: 'find' }),
  'compensable blind': compensable({ ...base, effect: 'blind', atMostOnce: true, undo: 'undoIt' }),
  'pivot own': pivot({ ...base, effect: 'own' }),
  'pivot keyed': pivot({ ...base, effect: 'keyed' }),
  'pivot keyed, with a probe': pivot({ ...base, effect: 'keyed', probe: 'find' }),
  'pivot probed': pivot({ ...base, effect: 'probed', probe: 'find' }),
  'pivot blind': pivot({ ...base, effect: 'blind', atMostOnce: true }),
  'retriable own': retriable({ ...base, effect: 'own' }),
  'retriable keyed': retriable({ ...base, effect: 'keyed' }),
  'retriable probed': retriable({ ...base, effect: 'probed', probe: 'find' }),
  'retriable blind': retriable({ ...base, effect: 'blind', atMostOnce: true }),
} as const satisfies Record<string, AnyStep>;
type Shape = keyof typeof SHAPES;

/** `take`, undone by `giveBack`, then the step `it`; past the commit point where a retriable comes before it. */
function kindOf(step: AnyStep, isCommitted: boolean) {
  const take = compensable({ ...base, effect: 'keyed', undo: 'giveBack' });
  const commit = retriable({ ...base, effect: 'keyed' });
  return defineJob({
    kind: 'test.failing',
    summary: 'Fails as told',
    queue: 'tests',
    input: z.strictObject({}),
    result: z.null(),
    deadline: '1h',
    example: {},
    steps: { take, ...(isCommitted ? { commit } : {}), it: step },
    async run(saga) {
      const steps = saga.steps as unknown as Record<string, () => Promise<unknown>>;
      await steps['take']?.();
      if (isCommitted) await steps['commit']?.();
      await steps['it']?.();
      return null;
    },
  });
}

type Fail = (attempt: number) => void;
const FAILURES: Readonly<Record<string, { readonly when: string; readonly fail: Fail }>> = {
  'is never possible': {
    when: 'refused, or out of attempts',
    fail: () => raise(new Transient('down', 'Not now', { certainty: 'no' })),
  },
  'is refused': { when: 'refused, or out of attempts', fail: () => raise(new Rejected('no', 'No')) },
  'is denied': { when: 'missing rights, or a bug', fail: () => raise(new Denied('denied', '401')) },
  'is once not possible': {
    when: 'not possible now, and certainly not done',
    fail: (attempt) => void (attempt === 1 && raise(new Transient('down', 'Not now', { certainty: 'no' }))),
  },
  'is once not answered': {
    when: 'no answer: nobody knows whether it was done',
    fail: (attempt) =>
      void (attempt === 1 && raise(new Transient('lost', 'No answer', { certainty: 'unknown' }))),
  },
  'is never answered': {
    when: 'refused, or out of attempts',
    fail: () => raise(new Transient('lost', 'No answer', { certainty: 'unknown' })),
  },
};

function raise(error: Error): never {
  throw error;
}

async function runInto(step: AnyStep, fail: Fail, isCommitted: boolean) {
  let calls = 0;
  const undone: string[] = [];
  const definition = kindOf(step, isCommitted);
  const quiet = async () => null;
  const work = async () => {
    fail(++calls);
    return null;
  };
  const undo = (name: string) => async () => void undone.push(name);
  const implementation = {
    steps: { take: quiet, commit: quiet, it: work },
    undos: { giveBack: undo('giveBack'), undoIt: undo('undoIt') },
    probes: { find: async () => ({ happened: false }) },
  } as unknown as Parameters<typeof runInMemory<typeof definition>>[1];
  const run = await runInMemory(definition, implementation, {
    input: {},
    stopWhenParked: true,
    openTransaction: () =>
      ({
        tx: {},
        commit: async () => undefined,
        rollback: async () => undefined,
      }) as unknown as MemoryTransaction,
  });
  const plan = describeKind(definition).steps.find(({ name }) => name === 'it')?.onFailure ?? [];
  return { run, calls, undone, plan };
}

const textOf = (plan: readonly FailureCase[], when: string) =>
  plan.find((one) => one.when === when)?.then ?? '';

/** Whether it leaves a doubt that only its own words on doubt settle. */
const leavesDoubt = (step: AnyStep, name: string) =>
  name === 'is never answered' &&
  (step.kind === 'pivot' ? step.effect !== 'own' : step.kind === 'compensable' && step.effect === 'blind');

/** What the words come to: where the run has to end. */
function endToldBy(text: string, isInDoubt: boolean): 'goes back' | 'parks' | 'goes on' {
  const [certain = '', doubt = ''] = text.split(/In doubt(?:, and not in the ledger)?: /);
  const told = isInDoubt ? doubt.replace(/^.*not done: goes back.*$/, 'the saga goes back') : certain;
  if (told.includes('the saga goes back')) return 'goes back';
  return told.includes('parks') ? 'parks' : 'goes on';
}

function endOf({ end, state }: MemoryRun): 'goes back' | 'parks' | 'goes on' {
  if (state.park) return 'parks';
  return end?.status === 'SUCCEEDED' ? 'goes on' : 'goes back';
}

const cases = Object.keys(SHAPES).flatMap((shape) =>
  Object.keys(FAILURES).flatMap((failure) =>
    [false, true].flatMap((isCommitted) =>
      isCommitted && !['readOnly', 'retriable keyed'].includes(shape)
        ? []
        : [[shape as Shape, failure, isCommitted] as const],
    ),
  ),
);

describe('what is told of a failure comes true', () => {
  it.each(cases)('%s %s (past the commit point: %s)', async (shape, name, isCommitted) => {
    const step: AnyStep = SHAPES[shape];
    const { when, fail } = FAILURES[name] as (typeof FAILURES)[string];
    const { run, calls, undone, plan } = await runInto(step, fail, isCommitted);
    const text = textOf(plan, when);
    const told = endToldBy(text, leavesDoubt(step, name));
    expect(endOf(run), text).toBe(told);
    const undos = [...(/undone by ([\w, ]+);/.exec(text)?.[1]?.split(', then ') ?? [])];
    if (told === 'goes back') expect(undone.filter((undo) => undos.includes(undo))).toEqual(undone);
    if (told === 'goes on' || (name === 'is never possible' && told)) {
      const retry = textOf(plan, 'not possible now, and certainly not done');
      expect(calls).toBe(name === 'is never possible' ? Number(/(\d+) attempts/.exec(retry)?.[1]) : 2);
    }
  });
});

describe('the words', () => {
  const planOf = (step: AnyStep, isCommitted = false) =>
    Object.fromEntries(
      describeKind(kindOf(step, isCommitted))
        .steps.find(({ name }) => name === 'it')
        ?.onFailure.map(({ when, then }) => [when, then]) ?? [],
    );

  it('of a pivot with a probe', () => {
    expect(planOf(SHAPES['pivot keyed, with a probe'])).toEqual({
      'not possible now, and certainly not done':
        'tried again, 3 attempts in all; waits of up to 100ms, doubling, 1s at most',
      'no answer: nobody knows whether it was done':
        'tried again, 3 attempts in all; waits of up to 100ms, doubling, 1s at most: under the same effect key',
      'refused, or out of attempts':
        'certainly not done: the saga goes back: undone by giveBack; the job ends FAILED. In doubt: find is asked when no attempt can act any more; done: goes on; not done: goes back; no answer: parks: a person decides',
      'missing rights, or a bug': 'at once parks: a person decides',
    });
  });

  it('of an undo', () => {
    const undo = { undoRetry: { attempts: 9 } };
    expect(
      planOf(compensable({ ...base, ...undo, effect: 'blind', atMostOnce: true, undo: 'undoIt' })),
    ).toMatchObject({
      'refused, or out of attempts':
        'the saga goes back: undone by undoIt, then giveBack; the job ends FAILED. In doubt: parks: a person decides',
      'its undo undoIt fails':
        'tried again, 9 attempts in all; waits of up to 200ms, doubling, 20s at most; no answer: parks: a person decides; refused, a bug, or out of attempts: parks: a person decides',
    });
  });

  it('of a person who does not decide, and of a holder', () => {
    const asks = { summary: 'May it?', output: z.boolean(), within: '1h', otherwise: false } as const;
    expect(planOf(decision(asks))).toEqual({
      'nobody decides in time': 'goes on with false',
      'a person decides against it': 'the saga goes back: undone by giveBack; the job ends FAILED',
    });
    expect(planOf(decision(asks), true)).toMatchObject({
      'a person decides against it': 'not possible past the commit point',
    });
    expect(planOf(holder(base))['lost while its block runs']).toMatch(
      /^what its block did is undone, and the block starts over/,
    );
  });
});
