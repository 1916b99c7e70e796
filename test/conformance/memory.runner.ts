/** Runs a scenario in memory. */
import { runInMemory, type MemoryRunControl } from '../../libs/saga/memory.js';
import { createWorld } from './fakes.js';
import { tell, type Scenario, type ScenarioWorld, type Story } from './scenario.js';
import { suite } from './suite.js';

/** As long as the pivot of `stall` waits for a worker, and half of that. */
const QUEUED_MS = 60_000;
const CANCEL_AT_MS = 30_000;

/** `continueAfter`: so many series of attempts it makes in one run. */
export async function runScenarioInMemory(scenario: Scenario, continueAfter = Infinity): Promise<Story> {
  const base = createWorld();
  let control: MemoryRunControl | undefined;
  const world: ScenarioWorld & { clock: typeof base.clock } = {
    ...base,
    cancel: async () => control?.cancel(),
    cancelNatively: async () => control?.cancel(),
  };
  const { definition, implement } = suite[scenario.kind];
  const decisions = [...(scenario.decisions ?? [])];
  const run = await runInMemory(definition, implement(world, scenario.scripts?.(world) ?? {}), {
    input: { count: scenario.count ?? 2 },
    clock: world.clock,
    stopWhenParked: true,
    continueAfter,
    ...(scenario.childFate ? { childFate: scenario.childFate } : {}),
    queuedMs: ({ role, step }) =>
      scenario.kind === 'stall' && role === 'step' && step === 'charge' ? QUEUED_MS : 0,
    ...(scenario.cancelsWaiting ? { cancelAt: CANCEL_AT_MS } : {}),
    onEvent: (_, running) => {
      control = running;
    },
    onPark: (running) => {
      const next = decisions.shift();
      if (next) running.decide(next.decision, next.value);
    },
  });
  return tell({ ...run, world });
}
