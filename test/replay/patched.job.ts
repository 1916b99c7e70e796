/** A kind that was changed once: so that histories with the mark of a change are kept, too. Pure, as every definition. */
import { z } from 'zod';
import { defineJob, readOnly, retriable, type Saga } from '../../libs/saga/define.js';

const steps = {
  look: readOnly({ pool: 'io', output: z.null() }),
  weigh: readOnly({ pool: 'io', output: z.null() }),
  send: retriable({ pool: 'io', effect: 'keyed', output: z.null() }),
};

/** What a kind's `run` gets here. */
export type PatchedSaga = Saga<typeof steps>;

/** look → weigh, since a change → send. */
export const patchedJob = defineJob({
  kind: 'test.patched',
  summary: 'A kind with a change behind `patched`, for the tests',
  queue: 'orders',
  input: z.strictObject({}),
  result: z.null(),
  deadline: '1h',
  example: {},
  steps,
  async run({ steps, patched }) {
    const isWeighed = patched('weigh');
    await steps.look();
    if (isWeighed) await steps.weigh();
    await steps.send();
    return null;
  },
});
