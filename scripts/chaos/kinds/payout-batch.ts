/** Payouts through a provider that misbehaves: books and provider must agree to the cent, and nobody is paid twice. */
import { TENANTS } from '../tenants.js';
import type { ChaosKind, EndedJob, Findings } from './kind.js';
import { auditPayouts, type PayoutEvidence, type PayoutInput } from './payout-audit.js';
import { fillAccounts, readBooks } from './payout-books.store.js';
import { sandboxProvider, type SandboxProvider } from './sandbox-provider.js';
import type { StackUnderChaos } from '../stack.js';

const CURRENCY = 'EUR';
/** The first has enough for all; the second runs dry, and what asks for more is refused. */
const ACCOUNTS = [
  { id: 'rich', currency: CURRENCY, amountMinor: 500_000_000 },
  { id: 'poor', currency: CURRENCY, amountMinor: 900_000 },
] as const;
const POOR_SHARE = 0.2;
const RECIPIENTS = 30;
const BLOCKED = 3;
const REFUSED_AFTERWARDS = 8;
const BLOCKED_SHARE = 0.05;
const ITEMS_MAX = 5;
const AMOUNT_MINOR_MAX = 60_000;
/** About one batch in three. */
const APPROVED_OVER_MINOR = 110_000;
const KEY = 'sandbox';
/** One request in four meets something. */
const FAULTS = {
  on: ['transfer', 'find', 'burn', 'screen'],
  probabilities: {
    error_before: 0.04,
    error_after: 0.04,
    drop_before: 0.03,
    drop_after: 0.04,
    cut_after: 0.03,
    too_many: 0.03,
    slow: 0.03,
    hang_after: 0.005,
  },
  slowMs: 1_500,
  // Paid, the answer lost, and refused when asked again: the refusal must not pass for a no.
  rules: Array.from({ length: REFUSED_AFTERWARDS }, (_, index) =>
    (['drop_after', 'reject'] as const).map((mode) => ({
      match: { recipient: `payee-${index + 1}` },
      mode,
      times: 1,
    })),
  ).flat(),
};

/** `payout.batch` under chaos. */
export function payoutBatchChaos(seed: number): ChaosKind {
  return {
    kind: 'payout.batch',
    // Payments, and what tells the tenant's endpoints how the batch ended: the audit counts both.
    children: ['payout.item', 'webhook.fanout'],
    weight: 1,
    input: (number, draw): PayoutInput => ({
      batch: `chaos-${number}`,
      account: draw.chance(POOR_SHARE) ? 'poor' : 'rich',
      currency: CURRENCY,
      items: Array.from({ length: draw.whole(1, ITEMS_MAX) }, (_, item) => ({
        recipient: draw.chance(BLOCKED_SHARE)
          ? `blocked-${draw.whole(1, BLOCKED)}`
          : `payee-${draw.whole(1, RECIPIENTS)}`,
        amountMinor: draw.whole(1, AMOUNT_MINOR_MAX),
        reference: `chaos ${number}/${item}`,
      })),
    }),
    environment: () => ({ PAYOUT_APPROVAL_OVER_MINOR: String(APPROVED_OVER_MINOR) }),
    // As the job's id has it: the last digit is as good as chance.
    answer: ({ jobId }) => ({ approved: !jobId.endsWith('0') }),
    async prepare(stack) {
      for (const account of ACCOUNTS) await fillAccounts(stack.run.databaseUrl, TENANTS, account);
      const named = (name: string, count: number, status: string): object[] =>
        Array.from({ length: count }, (_, index) => ({ id: `${name}-${index + 1}`, status }));
      const provider = providerOf(stack);
      await provider.put('/recipients', {
        items: [...named('payee', RECIPIENTS, 'allowed'), ...named('blocked', BLOCKED, 'blocked')],
      });
      await provider.put('/faults', { seed, ...FAULTS });
    },
    async audit(jobs: readonly EndedJob[], stack): Promise<Findings> {
      const provider = providerOf(stack);
      const evidence: PayoutEvidence = {
        asked: jobs.map(({ input, job }) => ({ input: input as PayoutInput, job })),
        books: await readBooks(stack.run.databaseUrl),
        transfers: await provider.transfers(),
        provider: await provider.audit(),
      };
      return { violations: auditPayouts(evidence), facts: factsOf(evidence) };
    },
  };
}

function factsOf({ transfers, provider, books }: PayoutEvidence): string {
  const states = [...Map.groupBy(books.items, ({ state }) => state)].map(
    ([state, own]) => `${own.length} ${state}`,
  );
  const paidMinor = transfers.reduce((sum, { amountMinor }) => sum + amountMinor, 0);
  const met = Object.entries(provider.faults).map(([mode, count]) => `${count} ${mode}`);
  return `${states.join(', ')}; ${transfers.length} transfers of ${paidMinor} minor units; the provider's faults: ${met.join(', ')}`;
}

function providerOf({ run, env }: StackUnderChaos): SandboxProvider {
  const url = run.paymentProvider;
  if (url === null) throw new Error('The stack runs no sandbox provider.');
  return sandboxProvider(url, env.PAYMENT_PROVIDER_KEY || KEY);
}
