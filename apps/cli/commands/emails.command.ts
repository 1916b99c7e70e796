/** `longhaul emails`: templates, lists of recipients, suppressions, and what became of a job's messages. */
import { createReadStream, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Command } from 'commander';
import type {
  EmailMessageStatus,
  EmailTemplateWish,
  RecipientList,
} from '../../../libs/client/email.types.js';
import { connect, type LocationOptions } from '../api-location.js';
import { action, CommandError } from '../command.error.js';
import { renderLists, renderMessages } from '../emails.view.js';
import { openTerminal } from '../terminal.js';
import { parseLimit } from './jobs.command.js';
import { withLocation } from './location.options.js';

interface Flags extends LocationOptions {
  readonly json?: true;
}

interface UploadFlags extends Flags {
  readonly name?: string;
  readonly skipBadRows?: true;
}

interface MessagesFlags extends Flags {
  readonly status?: EmailMessageStatus;
  readonly limit: number;
}

const LIMIT_DEFAULT = 20;
const PAGE_SIZE_MAX = 200;

export function register(program: Command): void {
  const emails = program.command('emails').description('e-mail: templates, lists of recipients, messages');
  const command = (usage: string, description: string): Command =>
    withLocation(emails.command(usage)).description(description).option('--json', 'print JSON');

  command(
    'template <name> <file>',
    'write a template from a JSON file {subject, text, html?, variables?}',
  ).action(action(template));
  command('upload <file>', 'upload recipients: .csv with a header, or .ndjson')
    .option('--name <text>', 'for people; by default the file’s')
    .option('--skip-bad-rows', 'leave bad rows out, instead of refusing the list')
    .action(action(upload));
  command('lists', 'list lists of recipients, newest first').action(action(lists));
  command('remove-list <id>', 'delete a list with its addresses').action(action(removeList));
  command('suppress <address>', 'send nothing more to an address').action(action(suppress));
  command('messages <job>', 'list a job’s messages')
    .option('--status <status>', 'open, sending, sent, refused, suppressed, dead or withdrawn')
    .option('--limit <count>', 'how many at most', parseLimit, LIMIT_DEFAULT)
    .action(action(messages));
}

async function template(name: string, file: string, flags: Flags): Promise<void> {
  const client = await connect(flags);
  const wish = readWish(file);
  const stored = await client.emails.putTemplate(name, wish);
  if (flags.json) printJson(stored);
  else openTerminal().print(`${stored.name}, version ${stored.version}`);
}

function readWish(file: string): EmailTemplateWish {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as EmailTemplateWish;
  } catch (error) {
    throw new CommandError(`${file} could not be read as JSON: ${(error as Error).message}`);
  }
}

async function upload(file: string, flags: UploadFlags): Promise<void> {
  const format = /\.(csv|ndjson)$/.exec(file)?.[1];
  if (format !== 'csv' && format !== 'ndjson')
    throw new CommandError('Expected a file that ends in .csv or .ndjson.');
  const client = await connect(flags);
  const list = await client.emails.uploadList(createReadStream(file), {
    format,
    name: flags.name ?? basename(file),
    ...(flags.skipBadRows ? { onBadRows: 'skip' } : {}),
  });
  if (flags.json) return printJson(list);
  const { print } = openTerminal();
  for (const { line, detail } of list.badRows) print(`line ${line}: ${detail}`);
  print(`${list.id}  ${list.recipients} recipients, ${list.duplicates} duplicates, ${list.invalid} left out`);
}

async function lists(flags: Flags): Promise<void> {
  const client = await connect(flags);
  const found: RecipientList[] = [];
  for await (const list of client.emails.listLists({ pageSize: PAGE_SIZE_MAX })) found.push(list);
  if (flags.json) return found.forEach(printJson);
  const terminal = openTerminal();
  if (found.length === 0) return terminal.print('No lists.');
  renderLists(found, terminal.paint).forEach((line) => terminal.print(line));
}

async function removeList(id: string, flags: Flags): Promise<void> {
  const client = await connect(flags);
  await client.emails.removeList(id);
  if (!flags.json) openTerminal().print('deleted');
}

async function suppress(address: string, flags: Flags): Promise<void> {
  const client = await connect(flags);
  const suppression = await client.emails.suppress(address);
  if (flags.json) printJson(suppression);
  else openTerminal().print(`Nothing more is sent to ${suppression.address}.`);
}

async function messages(job: string, { status, limit, ...flags }: MessagesFlags): Promise<void> {
  const client = await connect(flags);
  const found = [];
  for await (const message of client.emails.messagesOf(job, {
    status,
    pageSize: Math.min(limit, PAGE_SIZE_MAX),
  })) {
    found.push(message);
    if (found.length >= limit) break;
  }
  if (flags.json) return found.forEach(printJson);
  const terminal = openTerminal();
  if (found.length === 0) return terminal.print('No messages.');
  renderMessages(found, terminal.paint).forEach((line) => terminal.print(line));
}

function printJson(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
