/** Judges payouts: our books against themselves, against the provider's, and against what was asked. Pure. */
import type { Job } from '../../../libs/client/job.types.js';
import type { Violation } from '../violation.js';
import type { Books } from './payout-books.store.js';
import type { ProviderAudit, ProviderTransfer } from './sandbox-provider.js';

export interface PayoutInput {
  readonly batch: string;
  readonly account: string;
  readonly currency: string;
  readonly items: readonly {
    readonly recipient: string;
    readonly amountMinor: number;
    readonly reference: string;
  }[];
}

export interface PayoutEvidence {
  readonly asked: readonly {
    readonly input: PayoutInput;
    readonly job: Pick<Job, 'id' | 'status' | 'result'>;
  }[];
  readonly books: Books;
  readonly transfers: readonly ProviderTransfer[];
  readonly provider: ProviderAudit;
}

/** Every promise about money that was not kept. */
export function auditPayouts(evidence: PayoutEvidence): Violation[] {
  return [booksAgree, itemsAreDecided, providerAgrees, resultsAreTrue, endsAreTold].flatMap((rule) => [
    ...rule(evidence),
  ]);
}

const ITEM_ENDS: Readonly<Record<string, readonly (string | null)[]>> = {
  paid: ['SUCCEEDED'],
  released: [null, 'FAILED', 'CANCELLED'],
  refused: [null, 'FAILED', 'CANCELLED'],
};

function* booksAgree({ books }: PayoutEvidence): Iterable<Violation> {
  const rule = 'the books are balanced';
  for (const { subject, rule: what } of books.drift) yield { rule, detail: `${subject}: ${what}` };
  for (const { tenant, account, ...sums } of books.accounts) {
    if (sums.balanceMinor !== sums.bookedMinor || sums.reservedMinor !== sums.bookedReservedMinor)
      yield {
        rule,
        detail: `account ${tenant}/${account} is not the sum of its entries: ${JSON.stringify(sums)}`,
      };
    if (sums.reservedMinor !== 0)
      yield {
        rule: 'no money stays reserved',
        detail: `account ${tenant}/${account}: ${sums.reservedMinor}`,
      };
  }
  for (const { jobId, status, state, ...sums } of books.batches) {
    if (
      state === 'open' ||
      sums.heldMinor !== 0 ||
      sums.allocatedMinor !== 0 ||
      sums.bookedReservedMinor !== 0
    )
      yield {
        rule: 'no money stays reserved',
        jobId,
        detail: `the batch is ${status}, ${state}: ${JSON.stringify(sums)}`,
      };
  }
}

function* itemsAreDecided({ books }: PayoutEvidence): Iterable<Violation> {
  const rule = 'every item is decided, as its job ended';
  for (const { batchId, item, state, jobStatus, payEntries, transferId, jobId } of books.items) {
    const about = `item ${item} is ${state}, its job ${jobId ?? 'was never started'} (${jobStatus})`;
    if (!(ITEM_ENDS[state] ?? []).includes(jobStatus)) yield { rule, jobId: batchId, detail: about };
    if (payEntries !== (state === 'paid' ? 1 : 0) || (state === 'paid') !== (transferId !== null))
      yield {
        rule,
        jobId: batchId,
        detail: `${about}, with ${payEntries} payments booked, transfer ${transferId}`,
      };
  }
}

function* providerAgrees({ asked, books, transfers, provider }: PayoutEvidence): Iterable<Violation> {
  const rule = 'provider and books agree to the cent';
  if (provider.paidTwice.keys > 0)
    yield {
      rule: 'nobody is paid twice',
      detail: `keys that paid twice: ${provider.paidTwice.first.join(', ')}`,
    };
  for (const { currency, isConserved } of provider.currencies)
    if (!isConserved) yield { rule, detail: `the provider's own sums of ${currency} do not agree` };
  if (provider.inFlight > 0) yield { rule, detail: `${provider.inFlight} transfers are in flight still` };

  for (const [reference, own] of Map.groupBy(transfers, (transfer) => transfer.reference))
    if (own.length > 1)
      yield {
        rule: 'nobody is paid twice',
        detail: `"${reference}" was paid ${own.length} times, under ${own.map(({ key }) => key).join(', ')}`,
      };
  const items = new Map(
    books.items.flatMap((item) => (item.transferId === null ? [] : [[item.transferId, item]])),
  );
  const wanted = new Map(asked.map(({ input, job }) => [job.id, input.items]));
  for (const transfer of transfers) {
    const item = items.get(transfer.id);
    items.delete(transfer.id);
    const about = `transfer ${transfer.id} of ${transfer.amountMinor} ("${transfer.reference}")`;
    if (item === undefined) {
      yield { rule, detail: `${about} is in none of our books` };
      continue;
    }
    const order = wanted.get(item.batchId)?.[item.item];
    if (
      transfer.refunded ||
      transfer.amountMinor !== item.amountMinor ||
      order?.amountMinor !== item.amountMinor
    )
      yield {
        rule,
        jobId: item.batchId,
        detail: `${about} is booked as ${item.amountMinor}; asked for were ${order?.amountMinor}`,
      };
    if (order?.recipient !== transfer.recipient || order.reference !== transfer.reference)
      yield {
        rule,
        jobId: item.batchId,
        detail: `${about} went to ${transfer.recipient}; asked for was ${order?.recipient}`,
      };
  }
  for (const { batchId, item, transferId } of items.values())
    yield {
      rule,
      jobId: batchId,
      detail: `item ${item} is booked as paid by ${transferId}, which the provider does not know`,
    };
  const [paid, booked] = [
    transfers.reduce((sum, { amountMinor }) => sum + amountMinor, 0),
    books.batches.reduce((sum, { bookedPaidMinor }) => sum + bookedPaidMinor, 0),
  ];
  if (paid !== booked) yield { rule, detail: `the provider paid ${paid}, our books say ${booked}` };
}

function* resultsAreTrue({ asked, books }: PayoutEvidence): Iterable<Violation> {
  const rule = 'a result is true';
  const byBatch = Map.groupBy(books.items, ({ batchId }) => batchId);
  for (const { job, input } of asked) {
    const items = byBatch.get(job.id) ?? [];
    if (job.status !== 'SUCCEEDED') continue;
    const of = (state: string): typeof items => items.filter((item) => item.state === state);
    const truth = {
      paid: of('paid').length,
      refused: of('refused').length,
      released: of('released').length,
      paidMinor: of('paid').reduce((sum, { amountMinor }) => sum + amountMinor, 0),
    };
    const told = job.result as Partial<typeof truth> | null;
    const differs = Object.entries(truth).some(
      ([name, value]) => told?.[name as keyof typeof truth] !== value,
    );
    if (differs || items.length !== input.items.length)
      yield {
        rule,
        jobId: job.id,
        detail: `it says ${JSON.stringify(told)}; the books say ${JSON.stringify(truth)} of ${items.length} items`,
      };
  }
}

/** Whether it was settled or taken back: the job that tells of it starts in the transaction that closes the matter. */
function* endsAreTold({ books }: PayoutEvidence): Iterable<Violation> {
  const rule = 'each batch tells of its end once';
  for (const { jobId, state, tellings } of books.batches)
    if (tellings !== (state === 'open' ? 0 : 1))
      yield { rule, jobId, detail: `it is ${state}, and ${tellings} jobs tell of that` };
  for (const key of books.strayTellings)
    yield { rule, detail: `the job of key ${key} tells of what is no batch` };
}
