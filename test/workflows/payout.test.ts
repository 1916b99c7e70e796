/** The flow of payouts in memory: fakes for their side effects, a virtual clock, no I/O. */
import { describe, expect, test } from 'vitest';
import { Rejected, Transient } from '../../libs/saga/failure.js';
import type { Implementation, UndoOutcome } from '../../libs/saga/implement.js';
import { runInMemory, type ChildFate, type MemoryRunControl } from '../../libs/saga/memory.js';
import { bitsOf, isSet, payoutBatch } from '../../workflows/payout-batch.job.js';
import { payoutItem } from '../../workflows/payout-item.job.js';

const HOUR_MS = 3_600_000;
const openTransaction = () => ({
  tx: { query: async () => ({ rows: [], rowCount: 0 }) },
  commit: () => undefined,
  rollback: () => undefined,
});

function runBatch({
  needsApproval = false,
  blocked = [],
  childFate,
  onPark,
  cancelAt,
  released = 'undone',
}: {
  needsApproval?: boolean;
  blocked?: readonly number[];
  childFate?: () => ChildFate;
  onPark?: (control: MemoryRunControl) => void;
  cancelAt?: number;
  released?: UndoOutcome;
} = {}) {
  const log: string[] = [];
  const implementation: Implementation<typeof payoutBatch> = {
    steps: {
      async reserve() {
        log.push('reserve');
        return { items: 9, amountMinor: 900, currency: 'EUR', needsApproval };
      },
      screen: async ({ item }) => ({ allowed: !blocked.includes(item) }),
      async pay({ refused }) {
        log.push('pay');
        const allowed = [...Array(9).keys()].filter((item) => !isSet(refused, item));
        return allowed.map((item) => ({ ...payoutItem.example, item }));
      },
      async settle() {
        log.push('settle');
        return { paid: 9, refused: 0, released: 0, paidMinor: 900 };
      },
      async tell() {
        log.push('tell');
      },
    },
    undos: {
      async release() {
        log.push('release');
        return released;
      },
    },
    probes: {},
  };
  const running = runInMemory(payoutBatch, implementation, {
    input: payoutBatch.example,
    openTransaction,
    ...(childFate ? { childFate } : {}),
    ...(onPark ? { onPark } : {}),
    ...(cancelAt === undefined ? {} : { cancelAt }),
  });
  return running.then((run) => ({ ...run, log }));
}

describe('a batch of payouts', () => {
  test('starts a job for everybody the provider allows, and settles', async () => {
    const { end, log, children } = await runBatch({ blocked: [0, 7] });
    expect(end).toMatchObject({ status: 'SUCCEEDED', result: { paidMinor: 900 } });
    expect(log).toEqual(['reserve', 'pay', 'settle', 'tell']);
    expect(children.map(({ input }) => (input as { item: number }).item)).toEqual([1, 2, 3, 4, 5, 6, 8]);
  });

  test('above the limit goes on when a person approves', async () => {
    const { end, ledger } = await runBatch({
      needsApproval: true,
      onPark: (control) => control.decide('resolve', { approved: true }),
    });
    expect(end?.status).toBe('SUCCEEDED');
    expect(ledger.letters).toMatchObject([
      {
        step: 'approve',
        possible: ['resolve', 'compensate'],
        args: { items: 9, amountMinor: 900, currency: 'EUR' },
      },
    ]);
  });

  test.each([
    ['a person says no', (control: MemoryRunControl) => control.decide('resolve', { approved: false })],
    ['nobody says anything for a day', () => undefined],
  ])('above the limit gives the money back when %s', async (_, onPark) => {
    const { end, log } = await runBatch({ needsApproval: true, onPark });
    expect(end).toMatchObject({ status: 'FAILED', compensated: 'all', error: { code: 'not_approved' } });
    expect(log).toEqual(['reserve', 'release']);
  });

  test('settles at once when its last child has ended, however long that took', async () => {
    const { end, elapsedMs } = await runBatch({ childFate: () => ({ afterMs: 40 * HOUR_MS }) });
    expect(end?.status).toBe('SUCCEEDED');
    expect(elapsedMs).toBe(40 * HOUR_MS);
  });

  test('cancelled while it waits cancels its children first, then releases what is left', async () => {
    const childFate = () => ({ afterMs: 2 * HOUR_MS });
    const { end, log, children } = await runBatch({ childFate, cancelAt: HOUR_MS });
    expect(end).toMatchObject({ status: 'CANCELLED', compensated: 'all' });
    expect(children.every((child) => child.end?.status === 'CANCELLED')).toBe(true);
    expect(log).toEqual(['reserve', 'pay', 'release']);
  });
});

test('a batch taken back ends with what is paid, which no successor may pay again', async () => {
  const kept = '9 of 9 paid: 900 minor units of EUR';
  const { end } = await runBatch({
    childFate: () => ({ afterMs: 2 * HOUR_MS }),
    cancelAt: HOUR_MS,
    released: { kept },
  });
  expect(end).toMatchObject({
    status: 'CANCELLED',
    compensated: 'partial',
    leftovers: [{ step: 'reserve', fenced: false, kept }],
  });
});

test('flags survive their way through hexadecimal digits', () => {
  for (let count = 0; count < 20; count += 1) {
    for (let set = 0; set < count; set += 1) {
      const flags = Array.from({ length: count }, (_, index) => index === set || index % 3 === 0);
      expect(flags.map((_, index) => isSet(bitsOf(flags), index))).toEqual(flags);
    }
  }
});

describe('a payout', () => {
  const runItem = async (pay: (attempt: number) => void, paidAlready = false) => {
    const log: string[] = [];
    let isPaid = paidAlready;
    const implementation: Implementation<typeof payoutItem> = {
      steps: {
        reserve: async () => void log.push('reserve'),
        async pay(_, { attempt }) {
          pay(attempt);
          isPaid = true;
          return { transferId: 'tr_1' };
        },
        settle: async ({ transferId }) => void log.push(`settle ${transferId}`),
      },
      undos: {
        async release() {
          log.push('release');
          return 'undone';
        },
      },
      probes: {
        closePayment: async () =>
          isPaid ? { happened: true, output: { transferId: 'tr_found' } } : { happened: false },
      },
    };
    const run = await runInMemory(payoutItem, implementation, { input: payoutItem.example, openTransaction });
    return { ...run, log };
  };

  test('that the provider refuses gives its money back', async () => {
    const { end, log } = await runItem(() => {
      throw new Rejected('recipient_blocked', 'No');
    });
    expect(end).toMatchObject({ status: 'FAILED', compensated: 'all', error: { code: 'recipient_blocked' } });
    expect(log).toEqual(['reserve', 'release']);
  });

  const unheard = (): void => {
    throw new Transient('reset', 'No answer', { certainty: 'unknown' });
  };

  test('that nobody heard of is found at the provider, and settled', async () => {
    const { end, log } = await runItem(unheard, true);
    expect(end).toMatchObject({ status: 'SUCCEEDED', result: { transferId: 'tr_found' } });
    expect(log).toEqual(['reserve', 'settle tr_found']);
  });

  test('that nobody heard of and that was not made is given back, its key closed', async () => {
    const { end, log } = await runItem(unheard);
    expect(end).toMatchObject({ status: 'FAILED', compensated: 'all' });
    expect(log).toEqual(['reserve', 'release']);
  });
});
