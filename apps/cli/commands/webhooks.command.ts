/** `longhaul webhooks`: endpoints of the tenant's events, and what became of their deliveries. */
import { InvalidArgumentError, type Command } from 'commander';
import type { WebhookDeliveryStatus, WebhookEndpointWithSecret } from '../../../libs/client/webhook.types.js';
import { connect, type LocationOptions } from '../api-location.js';
import { action, CommandError } from '../command.error.js';
import { openTerminal } from '../terminal.js';
import { renderDeliveries, renderEndpoints } from '../webhooks.view.js';
import { parseLimit } from './jobs.command.js';
import { withLocation } from './location.options.js';

interface Flags extends LocationOptions {
  readonly json?: true;
}

interface AddFlags extends Flags {
  readonly types: string[];
  readonly description?: string;
  readonly rate?: number;
  readonly concurrency?: number;
}

interface DeliveriesFlags extends Flags {
  readonly endpoint?: string;
  readonly job?: string;
  readonly status?: WebhookDeliveryStatus;
  readonly limit: number;
}

interface ResendFlags extends Flags {
  readonly event?: string;
  readonly since?: string;
  readonly until?: string;
}

const STATUSES = [
  'open',
  'delivered',
  'dead',
  'withdrawn',
] as const satisfies readonly WebhookDeliveryStatus[];
const LIMIT_DEFAULT = 20;
const PAGE_SIZE_MAX = 200;

export function register(program: Command): void {
  const webhooks = program
    .command('webhooks')
    .description('endpoints that events go to, and their deliveries');
  const command = (usage: string, description: string): Command =>
    withLocation(webhooks.command(usage)).description(description).option('--json', 'print JSON');

  command('add <url>', 'register an endpoint; shows its secret, once')
    .requiredOption('--types <types...>', 'event types: invoice.paid, invoice.*, or *')
    .option('--description <text>', 'for people')
    .option('--rate <count>', 'deliveries a second, at most', parseLimit)
    .option('--concurrency <count>', 'deliveries at a time, of each worker', parseLimit)
    .action(action(add));
  command('list', 'list endpoints, newest first').action(action(list));
  command('enable <id>', 'send to an endpoint again').action(action(switching('enabled')));
  command('disable <id>', 'send nothing more to an endpoint').action(action(switching('disabled')));
  command('remove <id>', 'delete an endpoint').action(action(remove));
  command('rotate <id>', 'give an endpoint a new secret; the one before signs for 24 hours more').action(
    action(rotate),
  );
  command(
    'rotate-callbacks',
    'make a new secret for callbacks (`submit --callback`), the first or another',
  ).action(action(rotateCallbacks));
  command('test <id>', 'send an endpoint a test event').action(action(test));
  command('resend <id>', 'send an endpoint again what it was given up for')
    .option('--event <job>', 'one event, by its job')
    .option('--since <time>', 'events submitted since then (RFC 3339)')
    .option('--until <time>', 'and before then')
    .action(action(resend));
  command('resend-callback <job>', 'tell of a job’s end again, by its callback').action(
    action(resendCallback),
  );
  command('deliveries', 'list deliveries of an endpoint, or of an event’s job')
    .option('--endpoint <id>', 'of this endpoint')
    .option('--job <id>', 'of this event')
    .option('--status <status>', `one of ${STATUSES.join(', ')}`, parseStatus)
    .option('--limit <count>', 'how many at most', parseLimit, LIMIT_DEFAULT)
    .action(action(deliveries));
}

function parseStatus(value: string): WebhookDeliveryStatus {
  const status = STATUSES.find((known) => known === value);
  if (status) return status;
  throw new InvalidArgumentError(`Expected one of ${STATUSES.join(', ')}.`);
}

async function add(url: string, flags: AddFlags): Promise<void> {
  const client = await connect(flags);
  const { types: eventTypes, description, rate: ratePerSecond, concurrency } = flags;
  tellSecret(
    await client.webhooks.create({ url, eventTypes, description, ratePerSecond, concurrency }),
    flags,
  );
}

async function rotate(id: string, flags: Flags): Promise<void> {
  const client = await connect(flags);
  tellSecret(await client.webhooks.rotateSecret(id), flags);
}

async function rotateCallbacks(flags: Flags): Promise<void> {
  const client = await connect(flags);
  const made = await client.webhooks.rotateCallbackSecret();
  if (flags.json) return printJson(made);
  openTerminal().print(`secret of callbacks, shown only now: ${made.secret}`);
}

function tellSecret(endpoint: WebhookEndpointWithSecret, { json }: Flags): void {
  if (json) return printJson(endpoint);
  openTerminal().print(`${endpoint.id}  ${endpoint.url}\nsecret, shown only now: ${endpoint.secret}`);
}

async function list(flags: Flags): Promise<void> {
  const client = await connect(flags);
  const found = await firstOf(client.webhooks.list({ pageSize: PAGE_SIZE_MAX }), Infinity);
  if (flags.json) return found.forEach(printJson);
  const terminal = openTerminal();
  if (found.length === 0) return terminal.print('No endpoints.');
  renderEndpoints(found, terminal.paint).forEach((line) => terminal.print(line));
}

function switching(status: 'enabled' | 'disabled') {
  return async (id: string, flags: Flags): Promise<void> => {
    const client = await connect(flags);
    const endpoint = await client.webhooks.change(id, { status });
    if (flags.json) printJson(endpoint);
    else openTerminal().print(`${endpoint.url} is ${endpoint.status}`);
  };
}

async function remove(id: string, flags: Flags): Promise<void> {
  const client = await connect(flags);
  await client.webhooks.remove(id);
  if (!flags.json) openTerminal().print('deleted');
}

async function test(id: string, flags: Flags): Promise<void> {
  const client = await connect(flags);
  tellJob(await client.webhooks.test(id), flags);
}

async function resend(id: string, flags: ResendFlags): Promise<void> {
  const { event, since, until } = flags;
  if ((event === undefined) === (since === undefined)) {
    throw new CommandError('What is to be sent again? Give either --event JOB or --since TIME.');
  }
  const client = await connect(flags);
  const what = event === undefined ? { since: since ?? '', until } : { event };
  tellJob(await client.webhooks.resend(id, what), flags);
}

async function resendCallback(job: string, flags: Flags): Promise<void> {
  const client = await connect(flags);
  tellJob(await client.webhooks.resendCallback(job), flags);
}

function tellJob(job: { readonly id: string }, { json }: Flags): void {
  if (json) printJson(job);
  else openTerminal().print(`job ${job.id}; follow it: ./longhaul watch ${job.id}`);
}

async function deliveries(flags: DeliveriesFlags): Promise<void> {
  const { endpoint, job, status, limit } = flags;
  if ((endpoint === undefined) === (job === undefined)) {
    throw new CommandError('Whose deliveries? Give either --endpoint ID or --job ID.');
  }
  const client = await connect(flags);
  const options = { status, pageSize: Math.min(limit, PAGE_SIZE_MAX) };
  const all =
    endpoint === undefined
      ? client.webhooks.deliveriesOf(job ?? '', options)
      : client.webhooks.deliveries(endpoint, options);
  const found = await firstOf(all, limit);
  if (flags.json) return found.forEach(printJson);
  const terminal = openTerminal();
  if (found.length === 0) return terminal.print('No deliveries.');
  renderDeliveries(found, terminal.paint).forEach((line) => terminal.print(line));
}

async function firstOf<T>(items: AsyncIterable<T>, limit: number): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) {
    found.push(item);
    if (found.length >= limit) break;
  }
  return found;
}

function printJson(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
