/** A saga that goes on in new runs tells the story it would have told in one. */
import { describe, expect, it } from 'vitest';
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
