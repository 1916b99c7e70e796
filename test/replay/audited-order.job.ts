/** The kind `test.order` as a later release has it: an audit comes first. Pure, as every definition. */
import { z } from 'zod';
import { defineJob, readOnly } from '../../libs/saga/define.js';
import { order } from '../conformance/kinds.js';

const steps = { ...order.steps, audit: readOnly({ pool: 'io', output: z.null() }) };

export const auditedOrder = defineJob({
  ...order,
  steps,
  async run(saga) {
    await saga.steps.audit();
    return order.run(saga);
  },
});
