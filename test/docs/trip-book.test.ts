/** What the README says of its smallest job. */
import { expect, it } from 'vitest';
import { explore } from '../../libs/saga/explore.js';
import { Rejected, Transient } from '../../libs/saga/failure.js';
import type { Implementation } from '../../libs/saga/implement.js';
import { runInMemory } from '../../libs/saga/memory.js';
import { tripBook } from './trip-book.job.js';

interface Fakes {
  readonly implementation: Implementation<typeof tripBook>;
  readonly seats: Set<string>;
  readonly charges: Map<string, string>;
  readonly tickets: Set<string>;
}

function setup(faults: { refuseCharge?: boolean; ticketOutages?: number } = {}): Fakes {
  const seats = new Set<string>();
  const charges = new Map<string, string>();
  const tickets = new Set<string>();
  let outages = faults.ticketOutages ?? 0;
  return {
    seats,
    charges,
    tickets,
    implementation: {
      steps: {
        reserve: async (_, { input }) => {
          seats.add(input.seat);
          return null;
        },
        charge: async (_, { key }) => {
          if (faults.refuseCharge) throw new Rejected('card_declined', 'The card was declined.');
          charges.set(key, `ch_${charges.size + 1}`);
          return charges.get(key) ?? '';
        },
        ticket: async (_, { key }) => {
          if (outages-- > 0) throw new Transient('mail_away', 'Nobody answers.', { certainty: 'no' });
          tickets.add(key);
          return null;
        },
      },
      undos: { release: async (_, { input }) => (seats.delete(input.seat) ? 'undone' : 'noop') },
      probes: {
        findCharge: async (_, { key }) => {
          const charge = charges.get(key);
          return charge === undefined ? { happened: false } : { happened: true, output: charge };
        },
      },
    },
  };
}

const run = (fakes: Fakes): ReturnType<typeof runInMemory> =>
  runInMemory(tripBook, fakes.implementation, { input: tripBook.example });

it('reserves, charges and sends the ticket', async () => {
  const fakes = setup();
  const { end } = await run(fakes);
  expect(end).toMatchObject({ status: 'SUCCEEDED', result: { charge: 'ch_1' } });
  expect([fakes.seats.size, fakes.charges.size, fakes.tickets.size]).toEqual([1, 1, 1]);
});

it('releases the seat when the charge is refused', async () => {
  const fakes = setup({ refuseCharge: true });
  const { end } = await run(fakes);
  expect(end).toMatchObject({ status: 'FAILED', compensated: 'all', error: { code: 'card_declined' } });
  expect([fakes.seats.size, fakes.charges.size, fakes.tickets.size]).toEqual([0, 0, 0]);
});

it('sends the ticket in the end once the charge went through, and never charges twice', async () => {
  const fakes = setup({ ticketOutages: 4 });
  const { end } = await run(fakes);
  expect(end).toMatchObject({ status: 'SUCCEEDED' });
  expect([fakes.seats.size, fakes.charges.size, fakes.tickets.size]).toEqual([1, 1, 1]);
});

it('keeps every rule whatever fails once, and whenever somebody cancels', async () => {
  const outputs = { reserve: () => null, charge: () => 'ch_1', ticket: () => null };
  const { schedules } = await explore(tripBook, { input: tripBook.example, outputs }, { departuresMax: 1 });
  expect(schedules).toBeGreaterThan(50);
});
