/** A pivot that proved not done and is parked all the same, for a bug: its key is burnt, the saga is not. */
import { expect, it } from 'vitest';
import { runInMemory } from '../../../libs/saga/memory.js';
import type { Decision } from '../../../libs/saga/protocol.js';
import { createWorld, implementOrder, type Script } from '../../conformance/fakes.js';
import { order } from '../../conformance/kinds.js';

const hasABug: Script = ({ generation }) => {
  if (generation === 0) throw new TypeError('undefined is not a function');
};

async function decided(decision: Decision, value?: unknown) {
  const world = createWorld();
  const run = await runInMemory(order, implementOrder(world, { before: { charge: hasABug } }), {
    input: { count: 1 },
    clock: world.clock,
    stopWhenParked: true,
    onPark: (control) => {
      if (control.state.park?.number === 1) control.decide(decision, value);
    },
  });
  return { ...run, world };
}

it('is paid under a key of its own when a person has it tried again', async () => {
  const { end, ledger, world } = await decided('retry');
  expect(end).toMatchObject({ status: 'SUCCEEDED' });
  expect(world.log).toContain('charge');
  const rows = [...ledger.rows.values()].filter(({ step }) => step === 'charge');
  expect(rows.map(({ generation, state }) => [generation, state])).toEqual([
    [0, 'undone'],
    [1, 'done'],
  ]);
});

it('is taken for done when a person did it outside', async () => {
  const { end, ledger, state } = await decided('resolve', { id: 'paid by hand' });
  expect(end).toMatchObject({ status: 'SUCCEEDED', result: { charge: 'paid by hand' } });
  expect(ledger.committed).toBe(true);
  expect(state.committed).toBe(true);
});
