/** What the saga's steps do. */
import type { Implementation } from '../../libs/saga/implement.js';
import { createProvider, giveSeatBack, takeSeat } from './trip.js';
import type { trip } from './trip.job.js';

export function implementTrip(): Implementation<typeof trip> {
  const [cards, mails] = [createProvider('ch'), createProvider('mail')];
  return {
    steps: {
      async reserve(_, { tx, job, input }) {
        await takeSeat(tx, job.id, input.seat);
        return null;
      },
      charge: (_, { key }) => cards.call(key),
      async ticket(_, { key }) {
        await mails.call(key);
        return null;
      },
    },
    undos: {
      release: async (_, { tx, job }) => ((await giveSeatBack(tx, job.id)) ? 'undone' : 'noop'),
    },
    probes: {
      async findCharge(_, { key }) {
        const output = cards.find(key);
        return output === undefined ? { happened: false } : { happened: true, output };
      },
    },
  };
}
