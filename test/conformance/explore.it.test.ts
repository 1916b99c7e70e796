/** Every schedule of failures, up to a bound, of the engine's own kinds. Deeper bounds: EXPLORE_DEPARTURES=3. */
import { expect, test } from 'vitest';
import { explore } from '../../libs/saga/explore.js';
import { order, snapshot } from './kinds.js';

const departuresMax = Number(process.env['EXPLORE_DEPARTURES'] ?? 2);
const TIMEOUT_MS = 600_000;

const outputsOfOrder = {
  check: () => ({ count: 2 }),
  reserve: () => ({ id: 'reserved' }),
  pack: ({ box }: { box: number }) => ({ id: `box ${box}` }),
  charge: () => ({ id: 'charged' }),
};

test(
  'an order keeps every rule in every schedule',
  async () => {
    const explored = await explore(
      order,
      { input: { count: 2 }, outputs: outputsOfOrder },
      { departuresMax },
    );
    report('test.order', explored.schedules);
    expect(explored.schedules).toBeGreaterThan(5_000);
  },
  TIMEOUT_MS,
);

test(
  'a block with a holder keeps every rule in every schedule',
  async () => {
    const outputs = {
      keep: (_: undefined, { generation }: { generation: number }) => ({ snapshot: `s${generation}` }),
      part: () => ({ id: 'part' }),
    };
    const explored = await explore(snapshot, { input: { count: 2 }, outputs }, { departuresMax });
    report('test.snapshot', explored.schedules);
    expect(explored.schedules).toBeGreaterThan(5_000);
  },
  TIMEOUT_MS,
);

function report(kind: string, schedules: number): void {
  console.log(`explored ${kind}: ${schedules} schedules, up to ${departuresMax} departures each`);
}
