/** Runs a scenario in memory. */
import { runInMemory, type MemoryRunControl } from '../../libs/saga/memory.js';
import { createWorld, type World } from './fakes.js';
import {
  checkRefusal,
  tell,
  type OperatorDecision,
  type Scenario,
  type ScenarioWorld,
  type Story,
} from './scenario.js';
import { suite } from './suite.js';

/** As long as the pivot of `stall` waits for a worker, and half of that. */
const QUEUED_MS = 60_000;
const CANCEL_AT_MS = 30_000;
const LOOK_MS = 100;

/** `continueAfter`: so many series of attempts it makes in one run. */
export async function runScenarioInMemory(scenario: Scenario, continueAfter = Infinity): Promise<Story> {
  const base = createWorld();
  let control: MemoryRunControl | undefined;
  const world: ScenarioWorld & { clock: typeof base.clock } = {
    ...base,
    cancel: async () => control?.cancel(),
    cancelNatively: async () => control?.cancel(),
    async parked(times) {
      while (control!.ledger.letters.length < times) await base.clock.sleep(LOOK_MS);
    },
  };
  const { definition, implement } = suite[scenario.kind];
  const decisions = [...(scenario.decisions ?? [])];
  const run = await runInMemory(definition, implement(world, scenario.scripts?.(world) ?? {}), {
    input: { count: scenario.count ?? 2 },
    clock: world.clock,
    // Time has to pass for a loss.
    stopWhenParked: !decisions.some(({ onceHeldLost }) => onceHeldLost),
    continueAfter,
    ...(scenario.childFate ? { childFate: scenario.childFate } : {}),
    queuedMs: ({ role, step }) =>
      scenario.kind === 'stall' && role === 'step' && step === 'charge' ? QUEUED_MS : 0,
    ...(scenario.cancelsWaiting ? { cancelAt: CANCEL_AT_MS } : {}),
    onEvent: (_, running) => {
      control = running;
    },
    onPark: (running) => void decideNext(running, decisions, base.clock),
  });
  return tell({ ...run, world });
}

/** Decides the park that is open; a refusal that is not foreseen is thrown, and so is a decision that should have been refused. */
async function decideNext(
  running: MemoryRunControl,
  decisions: OperatorDecision[],
  clock: World['clock'],
): Promise<void> {
  const next = decisions.shift();
  if (!next) return;
  while (next.onceHeldLost && !running.state.park?.heldLost) await clock.sleep(LOOK_MS);
  const refusal = refusalOf(() => running.decide(next.decision, next.value));
  checkRefusal(next, refusal);
  if (refusal !== undefined) await decideNext(running, decisions, clock);
}

function refusalOf(decide: () => void): string | undefined {
  try {
    decide();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
