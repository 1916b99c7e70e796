/** The demo's payout: of three recipients one is refused by the provider, and one payment's answer is lost on the way. */
import pg from 'pg';
import { accountBalance, deposit, type AccountBalance } from '../../activities/payout/payout-books.store.js';
import type { Job } from '../../libs/client/job.types.js';
import { inTenant } from '../../libs/store/database.js';
import { findTenant } from '../../libs/security/tenants.store.js';
import { all, fetchFrom, seeThrough, stepsOn, type DemoPart } from './demo.part.js';
import type { Claim } from './demo-proof.view.js';
import { renderSteps } from './job.view.js';
import { openStatusLine } from './terminal.js';

const ACCOUNT = 'demo';
const CURRENCY = 'EUR';
const TENANT = 'demo';
const MINOR_PER_MAJOR = 100;

/** What happens to each at the provider. */
const RECIPIENTS = [
  { recipient: 'acct_ada', amountMinor: 125_00, fault: undefined },
  { recipient: 'acct_grace', amountMinor: 75_00, fault: 'reject' },
  { recipient: 'acct_alan', amountMinor: 240_50, fault: 'drop_after' },
] as const;
const TOTAL_MINOR = RECIPIENTS.reduce((sum, { amountMinor }) => sum + amountMinor, 0);

/** Pays, and shows what was undone. Only with the sandbox: no other provider's money is played with. */
export const runPayout: DemoPart = async (context) => {
  const { stack, client, terminal, signal, name } = context;
  const { paymentProvider } = stack;
  if (paymentProvider === null) {
    terminal.print(
      '\nNo payout is shown: the stack has a payment provider of its own, and this would be its money.',
    );
    return [];
  }
  const title = `A payout of ${euros(TOTAL_MINOR)} to ${RECIPIENTS.length}`;
  terminal.print(
    `\n${terminal.paint('bold', title)}: the provider refuses one, and the answer to another is lost on the way`,
  );
  const line = openStatusLine(terminal);
  const provider = providerAt(paymentProvider, signal);
  const books = await openBooks(stack.databaseUrl);
  const faultsBefore = await provider.plan();
  try {
    await provider.call('PUT', '/recipients', {
      items: RECIPIENTS.map(({ recipient }) => ({ id: recipient, status: 'allowed' })),
    });
    await provider.call('PUT', '/faults', {
      ...faultsBefore,
      rules: RECIPIENTS.flatMap(({ recipient, fault }) =>
        fault ? [{ match: { reference: referenceOf(name, recipient) }, mode: fault }] : [],
      ),
    });
    await books.deposit(TOTAL_MINOR, name);
    const before = await books.balance();

    const { job } = await client.submit(
      'payout.batch',
      {
        batch: name,
        account: ACCOUNT,
        currency: CURRENCY,
        items: RECIPIENTS.map(({ recipient, amountMinor }) => ({
          recipient,
          amountMinor,
          reference: referenceOf(name, recipient),
        })),
      },
      { signal },
    );
    const ended = await seeThrough(context, job, stepsOn(line, terminal, 'Paying'));
    const items = (await all(client.list({ parent: job.id, signal }))).toSorted(byItem);
    line.end();
    for (const [index, item] of items.entries()) {
      const { recipient, amountMinor } = RECIPIENTS[index]!;
      const { steps } = await client.get(item.id, { signal });
      terminal.print(
        `  ${recipient.padEnd(10)} ${euros(amountMinor).padStart(11)}  ${renderSteps(steps, terminal.paint)}`,
      );
    }
    const transfers = await Promise.all(items.map(({ id }) => provider.transferOf(`${id}/pay/0`)));
    return claimsOf({ ended, items, transfers, before, after: await books.balance() });
  } finally {
    line.end();
    await provider.call('PUT', '/faults', faultsBefore);
    await books.close();
  }
};

interface PayoutFacts {
  readonly ended: Job;
  readonly items: readonly Job[];
  /** What the provider has paid for each item. */
  readonly transfers: readonly (number | undefined)[];
  readonly before: AccountBalance;
  readonly after: AccountBalance;
}

function claimsOf({ ended, items, transfers, before, after }: PayoutFacts): Claim[] {
  const paidMinor = transfers.reduce<number>((sum, amountMinor) => sum + (amountMinor ?? 0), 0);
  const spentMinor = before.balanceMinor - after.balanceMinor;
  const refused = RECIPIENTS.findIndex(({ fault }) => fault === 'reject');
  const lost = RECIPIENTS.findIndex(({ fault }) => fault === 'drop_after');
  const undone = items[refused];
  return [
    {
      label: 'paid',
      value: `${items.filter(({ status }) => status === 'SUCCEEDED').length} of ${RECIPIENTS.length}, ${euros(paidMinor)}`,
      holds:
        ended.status === 'SUCCEEDED' &&
        RECIPIENTS.every(
          ({ amountMinor }, at) => transfers[at] === (at === refused ? undefined : amountMinor),
        ),
    },
    {
      label: 'undone',
      value: `${RECIPIENTS[refused]?.recipient}’s reservation: ${undone?.error?.detail ?? undone?.status}`,
      holds: undone?.status === 'FAILED' && transfers[refused] === undefined,
    },
    {
      label: 'paid once',
      value: `${RECIPIENTS[lost]?.recipient}: the connection broke after the payment; asked again under the same key`,
      holds: items[lost]?.status === 'SUCCEEDED' && transfers[lost] === RECIPIENTS[lost]?.amountMinor,
    },
    {
      label: 'the books',
      value: `${euros(spentMinor)} spent by ours, ${euros(paidMinor)} paid by the provider’s; ${euros(after.reservedMinor)} still reserved`,
      holds: spentMinor === paidMinor && after.reservedMinor === before.reservedMinor,
    },
  ];
}

function referenceOf(name: string, recipient: string): string {
  return `${name} ${recipient}`;
}

/** A child's key ends with its item's number. */
function byItem(a: Job, b: Job): number {
  const itemOf = ({ key }: Job): number => Number(key?.split('/').at(-1));
  return itemOf(a) - itemOf(b);
}

function euros(minor: number): string {
  return `${(minor / MINOR_PER_MAJOR).toFixed(2)} ${CURRENCY}`;
}

interface Provider {
  call(method: string, path: string, body?: object): Promise<Response>;
  /** The fault plan in force. */
  plan(): Promise<object>;
  /** What was paid under a key, in minor units. */
  transferOf(key: string): Promise<number | undefined>;
}

function providerAt(url: string, signal: AbortSignal): Provider {
  const key = process.env.PAYMENT_PROVIDER_KEY || 'sandbox';
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const call = async (method: string, path: string, body?: object): Promise<Response> => {
    // What was set up is taken back after an interrupt, too.
    const response = await fetchFrom('The sandbox provider', `${url}${path}`, {
      method,
      headers,
      ...(body ? { body: JSON.stringify(body) } : { signal }),
    });
    if (response.ok || response.status === 404) return response;
    throw new Error(
      `The sandbox provider answered ${method} ${path} with ${response.status}: ${await response.text()}`,
    );
  };
  return {
    call,
    async plan() {
      const { plan } = (await (await call('GET', '/faults')).json()) as { plan: object };
      return plan;
    },
    async transferOf(transferKey) {
      const response = await call('GET', `/transfers/by-key/${encodeURIComponent(transferKey)}`);
      if (response.status === 404) return undefined;
      return ((await response.json()) as { amountMinor: number }).amountMinor;
    },
  };
}

/** The demo tenant's account, with the login that owns the schema. */
async function openBooks(databaseUrl: string) {
  const owner = new pg.Pool({ connectionString: databaseUrl, max: 1, application_name: 'longhaul-demo' });
  owner.on('error', () => undefined); // an idle connection broke; the next query opens another or throws
  const tenant = await findTenant(owner, TENANT);
  if (!tenant) throw new Error(`There is no tenant "${TENANT}".`);
  const tenantId = tenant.id;
  return {
    deposit: (amountMinor: number, reference: string) =>
      deposit(owner, { tenantId, accountId: ACCOUNT, currency: CURRENCY, amountMinor, reference }),
    async balance(): Promise<AccountBalance> {
      const found = await inTenant(owner, tenantId, (tx) => accountBalance(tx, ACCOUNT));
      if (!found) throw new Error(`The account "${ACCOUNT}" is gone.`);
      return found;
    },
    close: () => owner.end(),
  };
}
