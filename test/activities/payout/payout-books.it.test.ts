import { Command } from 'commander';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  openBatch,
  releaseFunds,
  settleBatch,
  type BatchOpening,
} from '../../../activities/payout/payout-batches.store.js';
import {
  accountBalance,
  batchTotals,
  deposit,
  findDrift,
} from '../../../activities/payout/payout-books.store.js';
import {
  refuseItem,
  releaseItem,
  reserveItem,
  settleItem,
} from '../../../activities/payout/payout-items.store.js';
import { register } from '../../../apps/cli/commands/accounts.command.js';
import type { Transaction } from '../../../libs/saga/implement.js';
import { inTenant } from '../../../libs/store/database.js';
import { createTenantJobs, type TenantJobs } from '../../support/tenant-jobs.js';

let jobs: TenantJobs;
let accounts = 0;

beforeAll(async () => {
  jobs = await createTenantJobs();
});
afterAll(() => jobs.close());

/** One step's transaction. */
const step = <R>(work: (tx: Transaction) => Promise<R>): Promise<R> =>
  inTenant(jobs.worker, jobs.tenantId, (connection) => work(connection as unknown as Transaction));
const balanceOf = (accountId: string) => step((tx) => accountBalance(tx, accountId));
const drift = () => findDrift(jobs.relay);
const put = (accountId: string, amountMinor: number, reference: string, currency = 'EUR') =>
  deposit(jobs.app, {
    tenantId: jobs.tenantId,
    accountId,
    currency,
    amountMinor,
    reference,
  });

/** An account with money, and jobs: a batch's and those of its items. */
async function setup({ opening = 1_000, amountsMinor = [300, 200, 100] } = {}) {
  const accountId = `account-${++accounts}`;
  await put(accountId, opening, 'opening');
  const [batchId = '', ...itemJobs] = await jobs.accept('payout.batch', 1 + amountsMinor.length);
  const opened: BatchOpening = { jobId: batchId, accountId, currency: 'EUR', amountsMinor };
  const jobOf = (item: number): string => itemJobs[item] ?? '';
  const ref = (item: number) => ({ batchId, item });
  return {
    accountId,
    batchId,
    opened,
    open: () => step((tx) => openBatch(tx, opened)),
    reserve: (item: number) =>
      step((tx) => reserveItem(tx, ref(item), { jobId: jobOf(item), amountMinor: amountsMinor[item] ?? 0 })),
    release: (item: number) => step((tx) => releaseItem(tx, ref(item), jobOf(item))),
    settle: (item: number, transferId = `tr_${batchId}_${item}`) =>
      step((tx) => settleItem(tx, ref(item), { jobId: jobOf(item), transferId })),
    refuse: (item: number) => step((tx) => refuseItem(tx, ref(item), 'recipient_blocked')),
    close: () => step((tx) => settleBatch(tx, batchId)),
    giveBack: () => step((tx) => releaseFunds(tx, batchId)),
    totals: () => step((tx) => batchTotals(tx, batchId)),
    jobOf,
    ref,
  };
}

describe('a batch', () => {
  it('is reserved, paid and settled, and what was not paid is free again', async () => {
    const batch = await setup();
    expect(await batch.open()).toEqual({ items: 3, amountMinor: 600 });
    expect(await balanceOf(batch.accountId)).toMatchObject({ balanceMinor: 1_000, reservedMinor: 600 });

    await batch.reserve(0);
    await batch.settle(0);
    expect(await balanceOf(batch.accountId)).toMatchObject({ balanceMinor: 700, reservedMinor: 300 });
    await batch.reserve(1);
    expect(await batch.release(1)).toBe('undone');
    expect(await batch.refuse(2)).toBe(true);
    await batch.close();

    expect(await balanceOf(batch.accountId)).toMatchObject({ balanceMinor: 700, reservedMinor: 0 });
    expect(await batch.totals()).toEqual({
      planned: { items: 0, amountMinor: 0 },
      reserved: { items: 0, amountMinor: 0 },
      paid: { items: 1, amountMinor: 300 },
      released: { items: 1, amountMinor: 200 },
      refused: { items: 1, amountMinor: 100 },
    });
    expect(await drift()).toEqual([]);
  });

  it('does the same once, however often each step is repeated', async () => {
    const batch = await setup();
    for (const act of [
      batch.open,
      () => batch.reserve(0),
      () => batch.settle(0),
      () => batch.refuse(1),
      () => batch.close(),
    ]) {
      await act();
      await act();
    }
    expect(await balanceOf(batch.accountId)).toMatchObject({ balanceMinor: 700, reservedMinor: 0 });
    expect(await drift()).toEqual([]);
  });

  it('is refused where the account has not enough, and leaves nothing behind', async () => {
    const batch = await setup({ opening: 599 });
    await expect(batch.open()).rejects.toMatchObject({
      failureClass: 'rejected',
      code: 'insufficient_funds',
    });
    expect(await balanceOf(batch.accountId)).toMatchObject({ balanceMinor: 599, reservedMinor: 0 });
    expect((await batch.totals()).planned.items).toBe(0);
  });

  it('is refused on an account nobody knows, or of another currency', async () => {
    const { opened } = await setup();
    const other = { ...opened, accountId: 'nobody' };
    await expect(step((tx) => openBatch(tx, other))).rejects.toMatchObject({ code: 'account_unknown' });
    const dollars = { ...opened, currency: 'USD' };
    await expect(step((tx) => openBatch(tx, dollars))).rejects.toMatchObject({ code: 'currency_mismatch' });
  });

  it.each([[[]], [[0]], [[-5]], [[1.5]], [[Number.MAX_SAFE_INTEGER, 1]], [[NaN]]])(
    'of amounts %j is nobody’s business answer',
    async (amountsMinor: number[]) => {
      const { opened } = await setup();
      await expect(step((tx) => openBatch(tx, { ...opened, amountsMinor }))).rejects.toThrow(RangeError);
    },
  );

  it('that is opened again with other items is a bug', async () => {
    const batch = await setup();
    await batch.open();
    const other = { ...batch.opened, amountsMinor: [1, 2, 3] };
    await expect(step((tx) => openBatch(tx, other))).rejects.toThrow('with other items');
  });

  it('cannot be settled while an item is in hand', async () => {
    const batch = await setup();
    await batch.open();
    await batch.reserve(0);
    await expect(batch.close()).rejects.toThrow('not decided');
    expect(await balanceOf(batch.accountId)).toMatchObject({ reservedMinor: 600 });
  });

  it('of another tenant is not there', async () => {
    const batch = await setup();
    await batch.open();
    const stranger = '00000000-0000-7000-8000-0000000000ff';
    const seen = await inTenant(jobs.worker, stranger, async (connection) => ({
      balance: await accountBalance(connection as unknown as Transaction, batch.accountId),
      undo: await releaseFunds(connection as unknown as Transaction, batch.batchId),
    }));
    expect(seen).toEqual({ balance: undefined, undo: 'noop' });
    expect(await balanceOf(batch.accountId)).toMatchObject({ reservedMinor: 600 });
  });
});

describe('giving a batch back', () => {
  it('frees what nobody has in hand, and the rest when its item is decided', async () => {
    const batch = await setup();
    await batch.open();
    await batch.reserve(0);
    await batch.reserve(1);
    expect(await batch.giveBack()).toBe('undone');
    expect(await balanceOf(batch.accountId)).toMatchObject({ balanceMinor: 1_000, reservedMinor: 500 });
    await expect(batch.reserve(2)).rejects.toMatchObject({ code: 'batch_closed' });

    await batch.settle(0);
    await batch.release(1);
    expect(await balanceOf(batch.accountId)).toMatchObject({ balanceMinor: 700, reservedMinor: 0 });
    expect(await drift()).toEqual([]);
  });

  it('of a batch that never was, or is closed, is nothing', async () => {
    const batch = await setup();
    expect(await batch.giveBack()).toBe('noop');
    await batch.open();
    expect(await batch.giveBack()).toBe('undone');
    expect(await batch.giveBack()).toBe('noop');
    expect(await balanceOf(batch.accountId)).toMatchObject({ balanceMinor: 1_000, reservedMinor: 0 });
  });
});

describe('an item', () => {
  it('is in the hands of one job at a time', async () => {
    const batch = await setup();
    await batch.open();
    await batch.reserve(0);
    const other = { jobId: batch.jobOf(1), amountMinor: 300 };
    await expect(step((tx) => reserveItem(tx, batch.ref(0), other))).rejects.toMatchObject({
      code: 'item_taken',
    });
    expect(await step((tx) => releaseItem(tx, batch.ref(0), batch.jobOf(1)))).toBe('noop');
    expect((await batch.totals()).reserved).toEqual({ items: 1, amountMinor: 300 });
  });

  it('that was released may be tried again by a later job', async () => {
    const batch = await setup();
    await batch.open();
    await batch.reserve(0);
    await batch.release(0);
    const later = { jobId: batch.jobOf(1), amountMinor: 300 };
    await step((tx) => reserveItem(tx, batch.ref(0), later));
    expect(await batch.release(0)).toBe('noop');
    expect((await batch.totals()).reserved.items).toBe(1);
  });

  it('that is refused, unknown, or of another amount cannot be reserved', async () => {
    const batch = await setup();
    await batch.open();
    await batch.refuse(0);
    await expect(batch.reserve(0)).rejects.toMatchObject({ code: 'item_refused' });
    const job = { jobId: batch.jobOf(1), amountMinor: 1 };
    await expect(step((tx) => reserveItem(tx, batch.ref(9), job))).rejects.toMatchObject({
      code: 'item_unknown',
    });
    await expect(step((tx) => reserveItem(tx, batch.ref(1), job))).rejects.toMatchObject({
      code: 'item_mismatch',
    });
  });

  it('that is paid stays paid: no release, no refusal, no second payment', async () => {
    const batch = await setup();
    await batch.open();
    await batch.reserve(0);
    await batch.settle(0);
    await expect(batch.release(0)).rejects.toThrow('is paid');
    expect(await batch.refuse(0)).toBe(false);
    await expect(batch.reserve(0)).rejects.toMatchObject({ code: 'item_paid' });
    await expect(batch.settle(0, 'tr_another')).rejects.toThrow('Transfer tr_another');
    expect(await balanceOf(batch.accountId)).toMatchObject({ balanceMinor: 700 });
  });

  it('is not paid by a transfer that paid another', async () => {
    const batch = await setup();
    await batch.open();
    await batch.reserve(0);
    await batch.reserve(1);
    await batch.settle(0, `tr_${batch.batchId}`);
    await expect(batch.settle(1, `tr_${batch.batchId}`)).rejects.toMatchObject({ code: '23505' });
  });

  it('that nobody has in hand cannot be settled', async () => {
    const batch = await setup();
    await batch.open();
    await expect(batch.settle(0)).rejects.toThrow('which is planned');
  });
});

describe('racing', () => {
  it('two batches for the last money: one has it, the other is refused', async () => {
    for (let round = 0; round < 5; round++) {
      const first = await setup({ opening: 1_000, amountsMinor: [700] });
      const [jobId = ''] = await jobs.accept('payout.batch');
      const second = { ...first.opened, jobId, amountsMinor: [600] };
      const outcomes = await Promise.allSettled([first.open(), step((tx) => openBatch(tx, second))]);
      const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
      expect(refused).toHaveLength(1);
      expect(refused[0]?.reason).toMatchObject({ code: 'insufficient_funds' });
    }
    expect(await drift()).toEqual([]);
  });

  it('items of one batch, paid all at once, are each paid once', async () => {
    const amountsMinor = Array.from({ length: 20 }, (_, index) => index + 1);
    const batch = await setup({ amountsMinor });
    await batch.open();
    await Promise.all(amountsMinor.map((_, item) => batch.reserve(item)));
    await Promise.all(amountsMinor.flatMap((_, item) => [batch.settle(item), batch.settle(item)]));
    await batch.close();
    expect(await balanceOf(batch.accountId)).toMatchObject({ balanceMinor: 790, reservedMinor: 0 });
    expect(await drift()).toEqual([]);
  });

  it('giving a batch back while its items are reserved leaves no money behind', async () => {
    const batch = await setup();
    await batch.open();
    const outcomes = await Promise.allSettled([batch.reserve(0), batch.giveBack(), batch.reserve(1)]);
    for (const [index, item] of [0, 2].entries()) {
      if (outcomes[item]?.status === 'fulfilled') await batch.settle(index);
    }
    const { paid } = await batch.totals();
    expect(await balanceOf(batch.accountId)).toMatchObject({
      balanceMinor: 1_000 - paid.amountMinor,
      reservedMinor: 0,
    });
    expect(await drift()).toEqual([]);
  });
});

describe('money', () => {
  it('comes in once for each reference', async () => {
    const { accountId } = await setup();
    expect(await put(accountId, 50, 'top-up')).toBe(true);
    expect(await put(accountId, 50, 'top-up')).toBe(false);
    await expect(put(accountId, 51, 'top-up')).rejects.toThrow('was of 50');
    await expect(put(accountId, 50, 'dollars', 'USD')).rejects.toThrow('is in EUR');
    expect(await balanceOf(accountId)).toMatchObject({ balanceMinor: 1_050 });
  });

  it('cannot be made by a worker, nor moved without an entry', async () => {
    const { accountId } = await setup();
    const forbidden = { code: '42501' };
    const refused = (sql: string) => expect(step((tx) => tx.query(sql, []))).rejects.toMatchObject(forbidden);
    await refused(`update longhaul.accounts set balance_minor = balance_minor + 1 where id = '${accountId}'`);
    await refused(`select longhaul.deposit('${jobs.tenantId}', '${accountId}', 'EUR', 5, 'mine')`);
    await refused(`select longhaul.post_entry('${accountId}', 'deposit', 5, 0, null, -1, 'mine')`);
    await refused(`delete from longhaul.account_entries`);
    const smuggled = await step((tx) =>
      tx.query<{ posted: boolean | null }>(
        `select longhaul.post_payout('${accountId}', 'deposit', 5, 0, null, -1) as posted`,
      ),
    );
    expect(smuggled.rows).toEqual([{ posted: null }]);
    expect(await balanceOf(accountId)).toMatchObject({ balanceMinor: 1_000 });
  });

  it('moves under row-level security where the schema’s owner is no superuser', async () => {
    const role = `books_owner_${Date.now()}`;
    const mine = ['accounts', 'account_entries', 'payout_batches', 'payout_items'].map(
      (t) => `table longhaul.${t}`,
    );
    const functions = [
      'post_entry(text, text, bigint, bigint, uuid, int, text)',
      'post_payout(text, text, bigint, bigint, uuid, int)',
      'deposit(uuid, text, text, bigint, text)',
    ].map((f) => `function longhaul.${f}`);
    const give = async (to: string): Promise<void> => {
      for (const thing of [...mine, ...functions]) await jobs.owner.query(`alter ${thing} owner to ${to}`);
    };
    await jobs.owner.query(`create role ${role} nologin nobypassrls`);
    try {
      await jobs.owner.query(`grant usage, create on schema longhaul to ${role}`);
      await jobs.owner.query(`grant select, references on longhaul.jobs, longhaul.tenants to ${role}`);
      await give(role);
      const batch = await setup();
      await batch.open();
      await batch.reserve(0);
      await batch.settle(0);
      await batch.close();
      expect(await balanceOf(batch.accountId)).toMatchObject({ balanceMinor: 700, reservedMinor: 0 });
      expect(await drift()).toEqual([]);
    } finally {
      await give('current_user');
      await jobs.owner.query(`drop owned by ${role}`);
      await jobs.owner.query(`drop role ${role}`);
    }
  });

  it('is never rewritten, not even by the owner of the schema', async () => {
    await setup();
    await expect(jobs.owner.query('update longhaul.account_entries set balance_delta = 1')).rejects.toThrow(
      'append-only',
    );
    await expect(jobs.owner.query('truncate longhaul.account_entries')).rejects.toThrow('append-only');
  });

  it('that went astray is found', async () => {
    const { accountId } = await setup();
    await jobs.owner.query(`update longhaul.accounts set balance_minor = 1001 where id = $1`, [accountId]);
    expect(await drift()).toMatchObject([
      { subject: accountId, rule: 'balance is the sum of its entries', expected: '1000', actual: '1001' },
    ]);
    await jobs.owner.query(`update longhaul.accounts set balance_minor = 1000 where id = $1`, [accountId]);
    expect(await drift()).toEqual([]);
  });
});

describe('longhaul accounts deposit', () => {
  const run = async (accountId: string, currency: string, amount: string, reference: string) => {
    vi.stubEnv('DATABASE_URL', jobs.url);
    let said = '';
    for (const output of [process.stdout, process.stderr])
      vi.spyOn(output, 'write').mockImplementation((text) => ((said += String(text)), true));
    const program = new Command();
    register(program);
    const flags = [
      '--tenant',
      'acme',
      '--currency',
      currency,
      '--amount-minor',
      amount,
      '--reference',
      reference,
    ];
    await program.parseAsync(['accounts', 'deposit', accountId, ...flags], { from: 'user' });
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    const { exitCode = 0 } = process;
    process.exitCode = undefined;
    return { said, exitCode };
  };

  it.each([
    ['takes money', 'EUR', '500', 'second', 'deposited 500 EUR', 0],
    ['takes it once', 'EUR', '1000', 'opening', 'opening was deposited before', 0],
    [
      'refuses another currency',
      'USD',
      '500',
      'third',
      /^Nothing was deposited: Account \S+ is in EUR, not in USD\.$/,
      1,
    ],
    [
      'refuses a reference that was of another amount',
      'EUR',
      '7',
      'opening',
      'Nothing was deposited: Deposit opening was of 1000, not of 7.',
      1,
    ],
    ['refuses what is no reference', 'EUR', '7', 'x'.repeat(201), 'A reference has 1 to 200 characters.', 1],
  ] as const)('%s', async (_, currency, amount, reference, words, exitCode) => {
    const { accountId } = await setup();
    const answer = await run(accountId, currency, amount, reference);
    expect(answer.said.trim()).toMatch(words);
    expect(answer.exitCode).toBe(exitCode);
  });
});

type Act = 'reserve' | 'release' | 'settle' | 'refuse' | 'close' | 'giveBack' | 'open';
const acts: readonly Act[] = ['open', 'reserve', 'release', 'settle', 'refuse', 'close', 'giveBack'];
/** What may be answered to a step that comes out of turn. */
const REFUSALS =
  /^(item_|batch_closed|insufficient_funds)|is paid|which is|not decided|was released|opened again|no batch|no item|there is no/i;

it('balances are the opening and the sum of their entries, whatever is done in whatever order', async () => {
  let done = 0;
  const property = fc.asyncProperty(
    fc.integer({ min: 1, max: 1_500 }),
    fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 4 }),
    fc.array(fc.tuple(fc.constantFrom(...acts), fc.nat(3)), { minLength: 5, maxLength: 25 }),
    async (opening, amountsMinor, script) => {
      const batch = await setup({ opening, amountsMinor });
      // Two at a time, as two workers do it.
      for (let at = 0; at < script.length; at += 2) {
        const pair = script.slice(at, at + 2).map(async ([act, number]) => {
          await batch[act](number % amountsMinor.length);
          done += 1;
        });
        for (const outcome of await Promise.allSettled(pair)) {
          if (outcome.status === 'fulfilled') continue;
          const { code, message } = outcome.reason as { code?: string; message: string };
          if (!REFUSALS.test(code ?? message)) throw outcome.reason;
        }
      }
      const balance = await balanceOf(batch.accountId);
      const { paid } = await batch.totals();
      expect(balance?.balanceMinor).toBe(opening - paid.amountMinor);
      expect(await drift()).toEqual([]);
      // Whatever is in hand ends one way or the other: then nothing is held any more.
      for (const item of amountsMinor.keys()) await batch.release(item).catch(() => undefined);
      await batch.giveBack();
      expect(await balanceOf(batch.accountId)).toMatchObject({ reservedMinor: 0 });
      expect(await drift()).toEqual([]);
    },
  );
  await fc.assert(property, { numRuns: 40 });
  expect(done).toBeGreaterThan(100);
});
