/** A saga that goes on in new runs tells the story it would have told in one. */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { compensable, defineJob, pivot, readOnly, type Saga } from '../../../libs/saga/define.js';
import { Rejected } from '../../../libs/saga/failure.js';
import type { Implementation } from '../../../libs/saga/implement.js';
import { createVirtualClock, runInMemory, type MemoryRunOptions } from '../../../libs/saga/memory.js';
import { interpret } from '../../../libs/saga/interpreter/interpreter.js';
import type { RecalledPage, RecalledStep, Resume } from '../../../libs/saga/protocol.js';
import type { Runtime } from '../../../libs/saga/runtime.js';
import { runScenarioInMemory } from '../../conformance/memory.runner.js';
import type { Story } from '../../conformance/scenario.js';
import { scenarios } from '../../conformance/scenarios.js';

/** Before it goes on elsewhere, a group is let run out: who else is in flight when a member ends it all may differ. */
const COMPANY = new Set([
  'awaits a group’s members in flight before it undoes them',
  'is cancelled in a compensable step, which ends and is undone',
  'takes a cancel from the Web UI for the same wish, undo and record shielded from it',
]);
const ending = ({ end, phase, flags, parks, locks }: Story) => ({ end, phase, flags, parks, locks });

describe.each([1, 2, 3])('in runs of %i steps or undos, a saga', (continueAfter) => {
  it.each(scenarios)('$name', async (scenario) => {
    const [whole, inRuns] = [
      await runScenarioInMemory(scenario),
      await runScenarioInMemory(scenario, continueAfter),
    ];
    if (COMPANY.has(scenario.name)) expect(ending(inRuns)).toEqual(ending(whole));
    else expect(inRuns).toEqual(whole);
  });
});

const steps = {
  look: readOnly({ pool: 'io', output: z.strictObject({ seen: z.int() }) }),
  weigh: readOnly({ pool: 'io', output: z.null() }),
  pack: compensable({
    pool: 'io',
    effect: 'keyed',
    args: z.strictObject({ box: z.int() }),
    output: z.string(),
    undo: 'unpack',
  }),
  send: pivot({ pool: 'io', effect: 'keyed', output: z.null() }),
};
type Body = (saga: Saga<typeof steps>) => Promise<number>;

const definitionOf = (body: Body) =>
  defineJob({
    kind: 'test.march',
    summary: 'Goes on in new runs',
    queue: 'tests',
    input: z.strictObject({}),
    result: z.int(),
    deadline: '1h',
    example: {},
    steps,
    run: body,
  });

/** A kind of these steps that goes on in a new run after two of them; `acts` is told each as it really acts. */
function setup(
  body: Body,
  acts: (step: string, item?: number) => Promise<void> | void = () => undefined,
  answer: (box: number) => string = (box) => `box ${box}`,
) {
  const definition = definitionOf(body);
  const implementation: Implementation<typeof definition> = {
    steps: {
      look: async () => {
        await acts('look');
        return { seen: 7 };
      },
      weigh: async () => {
        await acts('weigh');
        return null;
      },
      pack: async ({ box }) => {
        await acts('pack', box);
        return answer(box);
      },
      send: async () => {
        await acts('send');
        return null;
      },
    },
    undos: {
      unpack: async (_, { item }) => {
        await acts('unpack', item);
        return 'undone' as const;
      },
    },
    probes: {},
  };
  type Options = Partial<MemoryRunOptions<typeof definition>>;
  return (options: Options = {}) =>
    runInMemory(definition, implementation, { input: {}, continueAfter: 2, ...options });
}

const START = { jobId: 'job', tenantId: 'tenant', kind: 'test.march', deadlineAt: '2026-01-01T01:00:00Z' };
const RESUME: Resume = {
  fate: { committed: false, pivotOpen: false, deadlinePassed: false, cancelled: false },
  last: { seq: 1, generation: 0, park: 0 },
  ...{
    steps: [],
    groups: {},
    forgotten: [],
    losses: {},
    sleeps: [],
    changes: {},
    skipped: [],
    leftovers: [],
  },
  message: 'Half way',
};

/** Of a saga that begins by reading back: it is answered when the test says so. */
function runtimeThatReadsBack(steps: readonly RecalledStep[]): Runtime & { answer: () => void } {
  const page = Promise.withResolvers<RecalledPage>();
  const never = new Promise<never>(() => undefined);
  return {
    now: () => Date.UTC(2026),
    random: () => 0,
    sleep: () => never,
    timer: () => ({ elapsed: never, cancel: () => undefined }),
    patched: () => true,
    start: () => ({ settled: never, ready: never, cancel: () => undefined }),
    isHistoryLong: () => false,
    recall: () => page.promise,
    park: () => never,
    unpark: () => never,
    rule: () => never,
    finish: async () => undefined,
    changed: () => undefined,
    answer: () => page.resolve({ steps }),
  };
}

const packAll =
  (count: number): Body =>
  async ({ steps, forEach }) => {
    const boxes = await forEach('pack', count, (box) => ({ box }), { concurrency: 3 });
    await steps.send();
    return boxes.filter((box, at) => box === `box ${at}`).length;
  };

describe('a saga that goes on in new runs', () => {
  it('does nothing twice, and has every output in its place, through more than one page of them', async () => {
    const acted = new Map<number | undefined, number>();
    const run = setup(packAll(1_100), (_, item) => void acted.set(item, (acted.get(item) ?? 0) + 1));
    const { end, runs } = await run({ continueAfter: 300 });
    expect(end).toMatchObject({ status: 'SUCCEEDED', result: 1_100 });
    expect(runs).toBe(4);
    expect([...acted.values()].every((times) => times === 1)).toBe(true);
  });

  it('undoes what every run did, last first, and goes on in new runs meanwhile', async () => {
    const undone: (number | undefined)[] = [];
    const run = setup(packAll(10), (step, item) => {
      if (step === 'send') throw new Rejected('no', 'No');
      if (step === 'unpack') undone.push(item);
    });
    const { end, runs } = await run();
    expect(end).toMatchObject({ status: 'FAILED', compensated: 'all' });
    expect(undone).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    expect(runs).toBeGreaterThan(8);
  });

  it('ends in one state when it is cancelled at whatever event: all undone, or done because it came too late', async () => {
    const { trace } = await setup(packAll(4))();
    for (let at = 0; at < trace.length; at++) {
      const live = new Set<number | undefined>();
      const run = setup(packAll(4), (step, item) => {
        if (step === 'pack') live.add(item);
        if (step === 'unpack') live.delete(item);
      });
      const { end } = await run({ cancelAt: (_, index) => index === at });
      expect(live.size, `cancelled at event ${at}`).toBe(end?.status === 'CANCELLED' ? 0 : 4);
    }
  });

  it('has one deadline, from the beginning', async () => {
    const clock = createVirtualClock();
    const run = setup(packAll(300), (step) => (step === 'pack' ? clock.sleep(50_000) : undefined));
    const { end, runs, trace } = await run({ clock });
    expect(end).toMatchObject({ status: 'FAILED', error: { code: 'deadline_exceeded' }, compensated: 'all' });
    expect(runs).toBeGreaterThan(20);
    // Two a run, and a run takes 50 s.
    expect(trace.filter(({ role, what }) => role === 'step' && what === 'done')).toHaveLength(144);
  });

  it('sleeps no longer than it would in one', async () => {
    const body: Body = async (saga) => {
      await saga.sleep('10m');
      const asleep = saga.sleep('20m');
      await packAll(8)(saga);
      await asleep;
      await saga.sleep('1m');
      return 1;
    };
    const whole = await setup(body)({ continueAfter: Infinity });
    const inRuns = await setup(body)();
    expect(inRuns.runs).toBeGreaterThan(3);
    expect(inRuns.elapsedMs).toBe(whole.elapsedMs);
  });

  it('goes the old way past a change that it had passed, and the new way past one that it had not', async () => {
    const answers: boolean[] = [];
    let release = 1;
    const body: Body = async (saga) => {
      const isWeighed = release > 1 && saga.patched('weigh');
      const { seen } = await saga.steps.look();
      if (isWeighed) await saga.steps.weigh();
      await packAll(3)(saga);
      answers.push(isWeighed, release > 1 && saga.patched('count'));
      return seen;
    };
    const run = setup(body, (step) => void (release = step === 'pack' ? 2 : release));
    const { end, trace } = await run();
    expect(end).toMatchObject({ status: 'SUCCEEDED', result: 7 });
    expect(answers.slice(-2)).toEqual([false, true]);
    expect(trace.some(({ step }) => step === 'weigh')).toBe(false);
  });

  it.each([
    [
      'a step that comes sooner than before',
      async (saga: Saga<typeof steps>) => void (await saga.steps.weigh()),
      'its code calls step "weigh" where it called step "look" before it went on in a new run',
    ],
    [
      'an end that comes sooner than before',
      async () => undefined,
      'its code ends where it called step "look" before it went on in a new run',
    ],
  ])('tells %s from a change behind `patched`', async (_, changed, complaint) => {
    let release = 1;
    const body: Body = async (saga) => {
      if (release > 1) {
        await changed(saga);
        return 0;
      }
      await saga.steps.look();
      return packAll(3)(saga);
    };
    await expect(setup(body, (step) => void (release = step === 'pack' ? 2 : release))()).rejects.toThrow(
      complaint,
    );
  });

  it('takes what runs side by side in whatever order it answers now', async () => {
    const clock = createVirtualClock();
    const body: Body = async (saga) => {
      const slow = saga.steps.look();
      const boxes = saga.forEach('pack', 6, (box) => ({ box }), { concurrency: 2 });
      const weighed = slow.then(() => saga.steps.weigh());
      await Promise.all([boxes, weighed]);
      return 6;
    };
    const { end, trace } = await setup(body, (step) => (step === 'look' ? clock.sleep(1_000) : undefined))({
      clock,
    });
    expect(end).toMatchObject({ status: 'SUCCEEDED' });
    expect(trace.filter(({ what }) => what === 'begin')).toHaveLength(8);
  });

  it('fails, all undone, when a group answers more than later runs could read back', async () => {
    const live = new Set<number | undefined>();
    const count = 2_100;
    const run = setup(
      async ({ forEach }) => (await forEach('pack', count, (box) => ({ box }), { concurrency: 50 })).length,
      (step, item) => void (step === 'pack' ? live.add(item) : live.delete(item)),
      (box) => `box ${box} `.padEnd(4_080, '.'),
    );
    const { end } = await run({ continueAfter: 1_000 });
    expect(end).toMatchObject({ status: 'FAILED', error: { code: 'outputs_too_large', step: 'pack' } });
    expect(live.size).toBe(0);
  });

  it('tells where it stands while it reads back what it did, and hears a cancel', async () => {
    const runtime = runtimeThatReadsBack([['look', null, 0, 1, 'done', { seen: 7 }]]);
    const definition = definitionOf(packAll(3));
    const saga = interpret(definition, { ...START, resume: RESUME }, runtime);
    const ended = saga.run();
    expect(saga.state).toMatchObject({ phase: 'forward', committed: false, message: 'Half way' });
    saga.cancel({ reason: 'Not wanted' });
    expect(saga.state).toMatchObject({ phase: 'compensating', cancelRequested: true });
    runtime.answer();
    expect(await ended).toMatchObject({ status: 'CANCELLED', compensated: 'none' });
    expect(saga.state.steps).toEqual([{ name: 'look', kind: 'readOnly', status: 'done' }]);
  });
});
