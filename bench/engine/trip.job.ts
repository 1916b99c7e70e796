/** The saga of the bench `engine`: a compensable `own` step, a `keyed` pivot, a `keyed` retriable. */
import { z } from 'zod';
import { compensable, defineJob, pivot, retriable } from '../../libs/saga/define.js';

export const trip = defineJob({
  kind: 'bench.trip',
  summary: 'Reserves a seat, charges the card, sends the ticket',
  queue: 'bench',
  input: z.strictObject({ trip: z.string(), seat: z.string(), cents: z.int().positive() }),
  result: z.strictObject({ charge: z.string() }),
  deadline: '15m',
  example: { trip: 'LH-7', seat: '12A', cents: 4200 },
  steps: {
    reserve: compensable({ pool: 'io', effect: 'own', output: z.null(), undo: 'release' }),
    charge: pivot({ pool: 'io', effect: 'keyed', output: z.string(), probe: 'findCharge' }),
    ticket: retriable({ pool: 'io', effect: 'keyed', output: z.null() }),
  },
  async run({ steps }) {
    await steps.reserve();
    const charge = await steps.charge();
    await steps.ticket();
    return { charge };
  },
});
