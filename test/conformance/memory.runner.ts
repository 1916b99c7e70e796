/** Runs a scenario in memory. */
import { runInMemory, type MemoryRunControl } from '../../libs/saga/memory.js';
import { createWorld, implementOrder, implementSnapshot } from './fakes.js';
import { order, snapshot } from './kinds.js';
import { tell, type Scenario, type ScenarioWorld, type Story } from './scenario.js';

export async function runScenarioInMemory(scenario: Scenario): Promise<Story> {
  const base = createWorld();
  let control: MemoryRunControl | undefined;
  const world: ScenarioWorld & { clock: typeof base.clock } = {
    ...base,
    cancel: async () => control?.cancel(),
    cancelNatively: async () => control?.cancel(),
  };
  const scripts = scenario.scripts?.(world) ?? {};
  const options = {
    input: { count: scenario.count ?? 2 },
    clock: world.clock,
    stopWhenParked: true,
    onEvent: (_: unknown, running: MemoryRunControl) => {
      control = running;
    },
  };
  const run =
    scenario.kind === 'order'
      ? await runInMemory(order, implementOrder(world, scripts), options)
      : await runInMemory(snapshot, implementSnapshot(world, scripts), options);
  return tell({ ...run, world });
}
