import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { joinKind } from '../../../libs/saga/attempt/attempt.js';
import { compensable, defineJob, pivot, retriable, type Saga } from '../../../libs/saga/define.js';
import { Rejected } from '../../../libs/saga/failure.js';
import { runInMemory } from '../../../libs/saga/memory.js';
import type { Implementation } from '../../../libs/saga/implement.js';

const steps = {
  take: compensable({
    pool: 'io',
    effect: 'keyed',
    args: z.strictObject({ text: z.string() }),
    output: z.strictObject({ text: z.string() }),
    undo: 'giveBack',
  }),
  pay: pivot({ pool: 'io', effect: 'keyed', output: z.void() }),
  tell: retriable({ pool: 'io', effect: 'keyed', output: z.void() }),
};
type Body = (saga: Saga<typeof steps>) => Promise<unknown>;

function setup(body: Body, answer = 'ok', onUndo: () => void = () => undefined) {
  const definition = defineJob({
    kind: 'test.misuse',
    summary: 'Breaks the rules',
    queue: 'tests',
    input: z.strictObject({}),
    result: z.strictObject({ ok: z.literal(true) }),
    deadline: '1h',
    example: {},
    steps,
    run: async (saga) => {
      await body(saga);
      return { ok: true as const };
    },
  });
  const implementation: Implementation<typeof definition> = {
    steps: { take: async () => ({ text: answer }), pay: async () => undefined, tell: async () => undefined },
    undos: {
      giveBack: async () => {
        onUndo();
        return 'undone';
      },
    },
    probes: {},
  };
  return () => runInMemory(definition, implementation, { input: {}, stopWhenParked: true });
}

describe('a saga that breaks a rule', () => {
  it('is told which step was called twice', async () => {
    const run = setup(async (saga) => {
      await saga.steps.take({ text: 'a' });
      await saga.steps.take({ text: 'b' });
    });
    await expect(run()).rejects.toThrow('Kind "test.misuse": step "take" is called twice');
  });

  it('is told which argument is too large', async () => {
    const run = setup((saga) => saga.steps.take({ text: 'x'.repeat(5_000) }));
    await expect(run()).rejects.toThrow(/argument of step "take" is 50\d\d bytes as JSON, and at most 4096/);
  });

  it('is told not to start anything while the pivot is running', async () => {
    const run = setup(async (saga) => {
      const paying = saga.steps.pay();
      await saga.steps.take({ text: 'a' });
      await paying;
    });
    await expect(run()).rejects.toThrow('step "take" is called while the pivot is running; await it first');
  });

  it('does not go back under a pivot that is running', async () => {
    let undone = 0;
    const run = setup(
      async (saga) => {
        await saga.steps.take({ text: 'a' });
        void saga.steps.pay();
        throw new Rejected('changed_its_mind', 'While it pays');
      },
      'ok',
      () => void undone++,
    );
    await expect(run()).rejects.toThrow('While it pays');
    expect(undone).toBe(0);
  });

  it('parks a step whose output is too large, naming it: its effect may be there', async () => {
    const { state, ledger } = await setup((saga) => saga.steps.take({ text: 'a' }), 'x'.repeat(5_000))();
    expect(state).toMatchObject({ phase: 'parked', park: { step: 'take' } });
    expect(ledger.letters[0]?.failure?.message).toContain('output of step "take" is 50');
    expect(ledger.rows.get('take//0')).toMatchObject({ doubt: true });
  });

  it('may not do what can be undone after the commit point', async () => {
    const run = setup(async (saga) => {
      await saga.steps.pay();
      await saga.steps.take({ text: 'a' });
    });
    await expect(run()).rejects.toThrow('compensable step "take" comes after the commit point');
  });

  it('may not call the pivot while others run', async () => {
    const run = setup((saga) => Promise.all([saga.steps.take({ text: 'a' }), saga.steps.pay()]));
    await expect(run()).rejects.toThrow('pivot "pay" is called while other steps are running');
  });

  it('commits with its first retriable where no pivot was', async () => {
    const { end, state } = await setup(async (saga) => {
      await saga.steps.take({ text: 'a' });
      await saga.steps.tell();
    })();
    expect(end?.status).toBe('SUCCEEDED');
    expect(state.committed).toBe(true);
  });
});

describe('joining a definition with its implementation', () => {
  it('names everything that is missing', () => {
    const definition = defineJob({
      kind: 'test.missing',
      summary: 'Nobody implements it',
      queue: 'tests',
      input: z.strictObject({}),
      result: z.void(),
      deadline: '1h',
      example: {},
      steps,
      run: async () => undefined,
    });
    const nothing = { steps: {}, undos: {}, probes: {} } as unknown as Implementation<typeof definition>;
    expect(() => joinKind(definition, nothing)).toThrow(
      'Kind "test.missing" lacks step "take", step "pay", step "tell", undo "giveBack"',
    );
  });
});
