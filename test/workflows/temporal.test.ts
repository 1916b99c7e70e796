/** What the workflow workers run, held to the list of kinds: one left out would be noticed when its first job starts. */
import { expect, test } from 'vitest';
import { SCHEDULED_RUN_WORKFLOW } from '../../libs/schedules/schedule-sync.js';
import { definitions } from '../../workflows/index.js';
import * as workflows from '../../workflows/temporal.js';

test('every kind is a workflow under its type, and nothing else is but a schedule’s run', () => {
  const types = definitions.map(({ workflowType }) => workflowType);
  expect(Object.keys(workflows).sort()).toEqual([...types, SCHEDULED_RUN_WORKFLOW].sort());
});
