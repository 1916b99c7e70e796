/** What only memory can show of decisions: what is refused and why, locks, and the words of a park. */
import { describe, expect, it } from 'vitest';
import { Denied, Rejected, Transient } from '../../../libs/saga/failure.js';
import { runInMemory, type MemoryRunControl } from '../../../libs/saga/memory.js';
import { createWorld, implementErrand, implementOrder, type Scripts } from '../../conformance/fakes.js';
import { errand, order } from '../../conformance/kinds.js';

const denied = (): void => {
  throw new Denied('denied', '401');
};
const unheard = (): void => {
  throw new Transient('down', 'No answer', { certainty: 'unknown' });
};

/** Runs the kind to its first park and hands it to `decide`. */
function parkedOrder(scripts: Scripts, decide: (control: MemoryRunControl) => void) {
  const world = createWorld();
  return runInMemory(order, implementOrder(world, scripts), {
    input: { count: 1 },
    clock: world.clock,
    stopWhenParked: true,
    onPark: decide,
  });
}

function runErrand(scripts: Scripts, onPark: (control: MemoryRunControl) => void, locks: string[] = []) {
  const world = createWorld();
  return runInMemory(errand, implementErrand(world, scripts), {
    input: { count: 1 },
    clock: world.clock,
    stopWhenParked: true,
    onPark,
    foreignLocks: new Set(locks),
  });
}

describe('a decision is refused, with the reason,', () => {
  it.each([
    ['skip', undefined, 'skip is not possible here; retry, compensate, resolve are.'],
    ['compensate', { box: 1 }, undefined],
  ] as const)('%s of a step without a declared output', async (decision, value, reason) => {
    const answers: unknown[] = [];
    await parkedOrder({ before: { check: denied } }, (control) => {
      try {
        control.decide(decision, value);
      } catch (error) {
        answers.push((error as Error).message);
      }
    });
    expect(answers).toEqual(reason === undefined ? [] : [reason]);
  });

  it('compensate past the commit point', async () => {
    const refused = parkedOrder({ before: { notify: denied } }, (control) => control.decide('compensate'));
    await expect(refused).rejects.toThrow('compensate is not possible here; retry, skip, resolve are.');
  });

  it('corrected arguments of a pivot in doubt', async () => {
    const scripts = { after: { charge: unheard }, before: { findCharge: unheard } };
    const refused = parkedOrder(scripts, (control) => control.decide('retry', { other: true }));
    await expect(refused).rejects.toThrow('Nobody can tell whether it happened under the arguments it had');
  });

  it('a second one of the same park', async () => {
    const refused = parkedOrder({ before: { check: denied } }, (control) => {
      control.decide('compensate');
      control.decide('retry');
    });
    await expect(refused).rejects.toThrow('Park 1 is decided already.');
  });

  it('where nothing is parked', async () => {
    const world = createWorld();
    const run = runInMemory(order, implementOrder(world), {
      input: { count: 1 },
      clock: world.clock,
      onEvent: (_, control) => control.decide('retry'),
    });
    await expect(run).rejects.toThrow('nothing is parked');
  });
});

describe('a wait for a person', () => {
  it('says until when, and what may be decided', async () => {
    const { ledger, state } = await runErrand({}, (control) => {
      expect(control.state.park?.until).toBe(new Date(control.clock.now() + 2 * 3_600_000).toISOString());
      control.decide('resolve', { yes: true });
    });
    expect(ledger.letters).toMatchObject([
      { step: 'approve', possible: ['resolve', 'compensate'], correctable: false },
    ]);
    expect(ledger.letters[0]).not.toHaveProperty('failure');
    expect(state.phase).toBe('done');
  });
});

describe('a lock', () => {
  it('is the job’s from the step’s commit until the terminal record', async () => {
    const held: string[][] = [];
    const { ledger, end } = await runErrand({}, (control) => {
      held.push([...control.ledger.locks]);
      control.decide('compensate');
    });
    expect(held).toEqual([['the desk']]);
    expect(end?.status).toBe('FAILED');
    expect([...ledger.locks]).toEqual([]);
  });

  it('that another job holds is a business no: nothing was done, and the saga goes back', async () => {
    const { end, ledger } = await runErrand({}, (control) => control.decide('retry'), ['the desk']);
    expect(end).toMatchObject({ status: 'FAILED', error: { code: 'locked', step: 'take' } });
    expect([...ledger.locks]).toEqual([]);
  });

  it('taken in a transaction that fails is nobody’s', async () => {
    const rejects = (): void => {
      throw new Rejected('full', 'No');
    };
    const { ledger } = await runErrand({ before: { take: rejects } }, () => undefined);
    expect([...ledger.locks]).toEqual([]);
  });
});
