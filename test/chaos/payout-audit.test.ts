/** The audit of payouts, held against books and a provider with one thing wrong: it must see each. */
import { expect, test } from 'vitest';
import { auditPayouts, type PayoutEvidence } from '../../scripts/chaos/kinds/payout-audit.js';

type Items = PayoutEvidence['books']['items'];
type Transfers = PayoutEvidence['transfers'];

/** Two batches: one paid two of its three items, the other was cancelled with nothing paid. */
function sound(): PayoutEvidence {
  const order = (reference: string, amountMinor: number) => ({ recipient: 'ada', amountMinor, reference });
  const input = (batch: string, items: ReturnType<typeof order>[]) => ({
    batch,
    account: 'rich',
    currency: 'EUR',
    items,
  });
  const item = (batchId: string, number: number, amountMinor: number, more: Partial<Items[0]>): Items[0] => ({
    batchId,
    item: number,
    state: 'released',
    amountMinor,
    transferId: null,
    jobId: null,
    jobStatus: null,
    payEntries: 0,
    ...more,
  });
  const paid = (transferId: string) =>
    ({
      state: 'paid',
      transferId,
      jobId: `job-${transferId}`,
      jobStatus: 'SUCCEEDED',
      payEntries: 1,
    }) as const;
  const transfer = (id: string, reference: string, amountMinor: number): Transfers[0] => ({
    id,
    key: `key-${id}`,
    amountMinor,
    recipient: 'ada',
    reference,
    refunded: false,
  });
  const batch = { heldMinor: 0, allocatedMinor: 0, bookedReservedMinor: 0, tellings: 1 };
  return {
    asked: [
      {
        input: input('one', [order('1/0', 100), order('1/1', 250), order('1/2', 30)]),
        job: { id: 'one', status: 'SUCCEEDED', result: { paid: 2, refused: 1, released: 0, paidMinor: 350 } },
      },
      { input: input('two', [order('2/0', 70)]), job: { id: 'two', status: 'CANCELLED', result: null } },
    ],
    books: {
      accounts: [
        {
          tenant: 'a',
          account: 'rich',
          balanceMinor: 650,
          reservedMinor: 0,
          bookedMinor: 650,
          bookedReservedMinor: 0,
        },
      ],
      batches: [
        { jobId: 'one', status: 'SUCCEEDED', state: 'settled', bookedPaidMinor: 350, ...batch },
        { jobId: 'two', status: 'CANCELLED', state: 'released', bookedPaidMinor: 0, ...batch },
      ],
      items: [
        item('one', 0, 100, paid('t0')),
        item('one', 1, 250, paid('t1')),
        item('one', 2, 30, { state: 'refused' }),
        item('two', 0, 70, { jobId: 'job', jobStatus: 'CANCELLED' }),
      ],
      drift: [],
      strayTellings: [],
    },
    transfers: [transfer('t0', '1/0', 100), transfer('t1', '1/1', 250)],
    provider: {
      currencies: [{ currency: 'EUR', isConserved: true }],
      paidTwice: { keys: 0, first: [] },
      faults: {},
      inFlight: 0,
    },
  };
}

const AGREE = 'provider and books agree to the cent';
const TWICE = 'nobody is paid twice';
const RESERVED = 'no money stays reserved';
const BALANCED = 'the books are balanced';
const TOLD = 'each batch tells of its end once';
const DECIDED = 'every item is decided, as its job ended';

function changeItem(evidence: PayoutEvidence, index: number, more: Partial<Items[0]>): PayoutEvidence {
  const items = evidence.books.items.map((item, at) => (at === index ? { ...item, ...more } : item));
  return { ...evidence, books: { ...evidence.books, items } };
}

function changeTransfer(evidence: PayoutEvidence, more: Partial<Transfers[0]>): PayoutEvidence {
  const [first, ...rest] = evidence.transfers;
  return { ...evidence, transfers: first ? [{ ...first, ...more }, ...rest] : [] };
}

function changeAccount(evidence: PayoutEvidence, more: object): PayoutEvidence {
  const accounts = evidence.books.accounts.map((account) => ({ ...account, ...more }));
  return { ...evidence, books: { ...evidence.books, accounts } };
}

function changeBatch(evidence: PayoutEvidence, more: object): PayoutEvidence {
  const [first, ...rest] = evidence.books.batches;
  return {
    ...evidence,
    books: { ...evidence.books, batches: first ? [{ ...first, ...more }, ...rest] : [] },
  };
}

const DOCTORED: readonly [string, string, (evidence: PayoutEvidence) => PayoutEvidence][] = [
  [
    'drift in the books',
    BALANCED,
    (e) => ({ ...e, books: { ...e.books, drift: [{ subject: 'x', rule: 'y' }] } }),
  ],
  ['a balance that its entries do not make', BALANCED, (e) => changeAccount(e, { balanceMinor: 651 })],
  [
    'money that stays reserved on an account',
    RESERVED,
    (e) => changeAccount(e, { reservedMinor: 1, bookedReservedMinor: 1 }),
  ],
  ['a batch that stays open', RESERVED, (e) => changeBatch(e, { state: 'open' })],
  ['a batch that holds money', RESERVED, (e) => changeBatch(e, { heldMinor: 1 })],
  ['a settled batch that tells nobody', TOLD, (e) => changeBatch(e, { tellings: 0 })],
  ['a batch that tells twice', TOLD, (e) => changeBatch(e, { tellings: 2 })],
  ['a batch that tells before its end', TOLD, (e) => changeBatch(e, { state: 'open' })],
  [
    'a telling of no batch',
    TOLD,
    (e) => ({ ...e, books: { ...e.books, strayTellings: ['payout%2fnobody'] } }),
  ],
  ['an item that stays reserved', DECIDED, (e) => changeItem(e, 3, { state: 'reserved' })],
  ['an item that stays planned', DECIDED, (e) => changeItem(e, 3, { state: 'planned' })],
  ['a paid item whose job failed', DECIDED, (e) => changeItem(e, 0, { jobStatus: 'FAILED' })],
  ['a released item whose job succeeded', DECIDED, (e) => changeItem(e, 3, { jobStatus: 'SUCCEEDED' })],
  ['an item booked as paid twice', DECIDED, (e) => changeItem(e, 0, { payEntries: 2 })],
  ['a payment booked for a released item', DECIDED, (e) => changeItem(e, 3, { payEntries: 1 })],
  [
    'a key that paid twice',
    TWICE,
    (e) => ({ ...e, provider: { ...e.provider, paidTwice: { keys: 1, first: ['k'] } } }),
  ],
  [
    'a recipient paid twice under two keys',
    TWICE,
    (e) => ({
      ...e,
      transfers: [
        ...e.transfers,
        ...e.transfers.slice(0, 1).map((one) => ({ ...one, id: 't9', key: 'other' })),
      ],
    }),
  ],
  [
    'a provider whose sums do not agree',
    AGREE,
    (e) => ({ ...e, provider: { ...e.provider, currencies: [{ currency: 'EUR', isConserved: false }] } }),
  ],
  ['a transfer in flight', AGREE, (e) => ({ ...e, provider: { ...e.provider, inFlight: 1 } })],
  [
    'a transfer that nobody booked',
    AGREE,
    (e) => ({
      ...e,
      transfers: [
        ...e.transfers,
        { id: 't9', key: 'k9', amountMinor: 70, recipient: 'ada', reference: '2/0', refunded: false },
      ],
    }),
  ],
  [
    'a booked transfer that the provider does not know',
    AGREE,
    (e) => ({ ...e, transfers: e.transfers.slice(1) }),
  ],
  ['a transfer of a cent too much', AGREE, (e) => changeTransfer(e, { amountMinor: 101 })],
  ['a transfer to somebody else', AGREE, (e) => changeTransfer(e, { recipient: 'eve' })],
  ['a refund that nobody booked', AGREE, (e) => changeTransfer(e, { refunded: true })],
  ['sums that differ by a cent', AGREE, (e) => changeBatch(e, { bookedPaidMinor: 351 })],
  [
    'a result that tells another sum',
    'a result is true',
    (e) => ({
      ...e,
      asked: e.asked.map(({ input, job }) => ({
        input,
        job: job.result === null ? job : { ...job, result: { ...job.result, paidMinor: 351 } },
      })),
    }),
  ],
  [
    'an item that is missing',
    'a result is true',
    (e) => ({ ...e, books: { ...e.books, items: e.books.items.filter((_, at) => at !== 2) } }),
  ],
];

test('sound books hold no violation', () => {
  expect(auditPayouts(sound())).toEqual([]);
});

test.each(DOCTORED)('%s is a violation', (_, rule, change) => {
  expect(auditPayouts(change(sound())).map((violation) => violation.rule)).toContain(rule);
});
