/** The kind `test.errand` with short times, so that its waits can be recorded. Pure, as every definition. */
import { defineJob } from '../../libs/saga/define.js';
import { errand } from '../conformance/kinds.js';

const { approve, tell, file } = errand.steps;
const brief = { timeoutMs: 2_000, heartbeatMs: 1_000 };

export const briefErrand = defineJob({
  ...errand,
  steps: {
    ...errand.steps,
    approve: { ...approve, waits: { withinMs: 1_000, otherwise: { yes: false } } },
    tell: { ...tell, ...brief, retry: { ...tell.retry, attempts: 2 } },
    file: { ...file, ...brief },
  },
});
