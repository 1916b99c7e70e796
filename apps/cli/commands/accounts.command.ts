/** `longhaul accounts deposit|show`: the accounts that payouts are paid from, with the login that owns the schema. */
import type { Command } from 'commander';
import { accountBalance, deposit, DepositRefused } from '../../../activities/payout/payout-books.store.js';
import { action, CommandError } from '../command.error.js';
import { tenantIdOf, withOwner } from '../owner.store.js';
import { openTerminal } from '../terminal.js';

interface AccountFlags {
  readonly tenant: string;
}

interface DepositFlags extends AccountFlags {
  readonly currency: string;
  readonly amountMinor: string;
  readonly reference: string;
}

/** As the tables check them. */
const CURRENCY = /^[A-Z]{3}$/;
const ACCOUNT = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const REFERENCE_LENGTH_MAX = 200;

export function register(program: Command): void {
  const accounts = program
    .command('accounts')
    .description('accounts that payouts are paid from (DATABASE_URL: the owner’s login)');
  accounts
    .command('deposit')
    .description('put money into an account; the first deposit opens it')
    .argument('<account>')
    .requiredOption('--tenant <name>', 'whose account it is')
    .requiredOption('--currency <code>', 'e.g. EUR')
    .requiredOption('--amount-minor <integer>', 'in minor units, e.g. cents')
    .requiredOption('--reference <text>', 'the same reference again is the same deposit')
    .action(action(put));
  accounts
    .command('show')
    .description('what an account has, and how much of it is reserved')
    .argument('<account>')
    .requiredOption('--tenant <name>', 'whose account it is')
    .action(action(show));
}

async function put(accountId: string, flags: DepositFlags): Promise<void> {
  const amountMinor = Number(flags.amountMinor);
  if (!Number.isSafeInteger(amountMinor) || amountMinor <= 0) {
    throw new CommandError(`"${flags.amountMinor}" is no amount: a positive integer of minor units.`);
  }
  if (!CURRENCY.test(flags.currency)) {
    throw new CommandError(`"${flags.currency}" is no currency: three capital letters, e.g. EUR.`);
  }
  if (!ACCOUNT.test(accountId)) {
    throw new CommandError(
      `"${accountId}" is no account: up to 63 of a-z, 0-9, _ and -, the first a letter or a digit.`,
    );
  }
  const { currency, reference } = flags;
  if (reference === '' || reference.length > REFERENCE_LENGTH_MAX) {
    throw new CommandError(`A reference has 1 to ${REFERENCE_LENGTH_MAX} characters.`);
  }
  await withOwner(async (owner) => {
    const tenantId = await tenantIdOf(owner, flags.tenant);
    const money = { tenantId, accountId, currency, amountMinor, reference };
    const isNew = await deposit(owner, money).catch((error: unknown) => {
      throw error instanceof DepositRefused
        ? new CommandError(`Nothing was deposited: ${error.message}.`)
        : error;
    });
    openTerminal().print(
      isNew ? `deposited ${amountMinor} ${currency}` : `${reference} was deposited before`,
    );
  });
}

async function show(accountId: string, flags: AccountFlags): Promise<void> {
  await withOwner(async (owner) => {
    const tenantId = await tenantIdOf(owner, flags.tenant);
    await owner.query(`select set_config('longhaul.tenant', $1, false)`, [tenantId]);
    const account = await accountBalance(owner, accountId);
    if (!account) throw new CommandError(`Tenant ${flags.tenant} has no account "${accountId}".`);
    const { balanceMinor, reservedMinor, currency } = account;
    openTerminal().print(`${balanceMinor} ${currency}, of which ${reservedMinor} are reserved`);
  });
}
