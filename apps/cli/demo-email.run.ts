/** The demo's e-mail: the export's link goes over SMTP to a mailbox, is read there, and followed. */
import { createHash } from 'node:crypto';
import type { Downloaded } from '../../libs/client/download.js';
import type { EmailMessage } from '../../libs/client/email.types.js';
import type { Job } from '../../libs/client/job.types.js';
import { all, fetchFrom, renderOutcome, seeThrough, stepsOn, type DemoPart } from './demo.part.js';
import { claimSha256, type Claim } from './demo-proof.view.js';
import { formatBytes, formatCount, formatDuration } from './figures.view.js';
import { renderBar } from './job.view.js';
import { renderTable } from './jobs-table.view.js';
import { openStatusLine, toPlain, type StatusLine } from './terminal.js';

const TEMPLATE = 'demo-export-ready';
/** Not the one of the documents’ examples: nobody will have suppressed it to try that. */
const RECEIVER = { address: 'ada.lovelace@example.com', name: 'Ada Lovelace' };
const LINK = /https?:\/\/\S+/;

/** What a message says, in Mustache's language; `file` is the export's job, and becomes a signed link. */
const WORDS = {
  subject: 'Your {{rows}} flights are ready',
  text: 'Dear {{name}},\n\nyour export of {{rows}} flights is ready:\n\n{{file}}\n\nLonghaul\n',
  html: '<p>Dear {{name}},</p><p>your export of <a href="{{file}}">{{rows}} flights</a> is ready.</p><p>Longhaul</p>',
  variables: {
    properties: {
      name: { type: 'string' },
      rows: { type: 'string' },
      file: { type: 'string', format: 'artifact' },
    },
    required: ['name', 'rows', 'file'],
  },
} as const;

/** Writes to the receiver and follows the link. Only with the sandbox's mailbox: another server would deliver it to somebody. */
export const runEmail: DemoPart = async (context) => {
  const { stack, client, terminal, signal, name, about, downloaded } = context;
  if (stack.mailbox === null) {
    terminal.print(
      '\nNo e-mail is shown: the stack has a mail server of its own (LONGHAUL_SMTP_URL), which would deliver it to somebody.',
    );
    return [];
  }
  const title = terminal.paint('bold', 'An e-mail with the export’s link');
  terminal.print(`\n${title}: sent over SMTP, read where it arrives, and its link followed`);
  const line = openStatusLine(terminal);
  try {
    await client.emails.putTemplate(TEMPLATE, WORDS, { signal });
    const startedAt = performance.now();
    const { job } = await client.submit(
      'email.send',
      {
        message: name,
        template: TEMPLATE,
        to: RECEIVER,
        variables: { rows: formatCount(downloaded.link.rows ?? 0), file: about.id },
      },
      { signal },
    );
    const ended = await seeThrough(context, job, stepsOn(line, terminal, 'Sending'));
    const sentMs = performance.now() - startedAt;
    const [sent] = await all(client.emails.messagesOf(job.id, { signal }));
    const received = (await readMailbox(stack.mailbox, signal)).filter(
      ({ messageId }) => messageId === `<${sent?.messageId}>`,
    );
    const [message] = received;
    const url = message && LINK.exec(message.text ?? '')?.[0];
    line.end();
    if (message) linesOf(message, url).forEach((text) => terminal.print(text));
    const followed = url === undefined ? undefined : await follow(url, downloaded.bytes, line, signal);
    return claimsOf({ ended, sent, received: received.length, sentMs, followed, downloaded });
  } finally {
    line.end();
  }
};

/** As the mailbox shows it, parsed from what came. */
interface ReceivedMessage {
  /** In angle brackets. */
  readonly messageId?: string;
  readonly from?: Person;
  readonly to?: readonly Person[];
  readonly subject?: string;
  readonly text?: string;
}

interface Person {
  readonly name: string;
  readonly address?: string;
}

async function readMailbox(mailbox: string, signal: AbortSignal): Promise<readonly ReceivedMessage[]> {
  const url = `${mailbox}/messages?to=${encodeURIComponent(RECEIVER.address)}`;
  const response = await fetchFrom('The sandbox mailbox', url, { signal });
  if (!response.ok)
    throw new Error(`The sandbox mailbox answered ${response.status}: ${await response.text()}`);
  return ((await response.json()) as { items: ReceivedMessage[] }).items;
}

function linesOf({ from, to = [], subject = '' }: ReceivedMessage, url: string | undefined): string[] {
  const person = ({ name, address = '' }: Person): string => (name ? `${name} <${address}>` : address);
  const rows = [
    ['From', from ? person(from) : ''],
    ['To', to.map(person).join(', ')],
    ['Subject', subject],
    ['Link', url ?? ''],
  ];
  return renderTable(rows.map(([heading = '', value = '']) => [`  ${heading}`, toPlain(value)]));
}

interface Followed {
  readonly status: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly tookMs: number;
}

/** As anybody with the link could: without a key. */
async function follow(
  url: string,
  bytesExpected: number,
  line: StatusLine,
  signal: AbortSignal,
): Promise<Followed> {
  line.update('Following the link …', 'Following the link');
  const startedAt = performance.now();
  const response = await fetchFrom('The server of the link', url, {
    headers: { 'accept-encoding': 'identity' },
    signal,
  });
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    hash.update(chunk);
    bytes += chunk.length;
    const bar = renderBar((100 * bytes) / bytesExpected);
    line.update(`${bar} following the link, ${formatBytes(bytes)}`, 'Following the link');
  }
  return {
    status: response.status,
    bytes,
    sha256: hash.digest('hex'),
    tookMs: performance.now() - startedAt,
  };
}

interface EmailFacts {
  readonly ended: Job;
  readonly sent: EmailMessage | undefined;
  readonly received: number;
  /** From the POST to the job's end. */
  readonly sentMs: number;
  readonly followed: Followed | undefined;
  readonly downloaded: Downloaded;
}

function claimsOf({ ended, sent, received, sentMs, followed, downloaded }: EmailFacts): Claim[] {
  if (ended.status !== 'SUCCEEDED' || sent?.status !== 'sent')
    return [{ label: 'sent', value: toPlain(renderTrouble(ended, sent)), holds: false }];
  return [
    {
      label: 'sent',
      value: `${formatDuration(sentMs)} after the POST; the mail server answered “${toPlain(sent.reply ?? '')}”`,
      holds: true,
    },
    {
      label: 'received',
      value: `${received === 1 ? 'once' : `${received} times`}, as the mailbox has it`,
      holds: received === 1,
    },
    {
      label: 'its link',
      value: followed
        ? `${followed.status} without a key: ${formatBytes(followed.bytes)} in ${formatDuration(followed.tookMs)}`
        : 'there is none in the message',
      holds: followed?.status === 200 && followed.bytes === downloaded.bytes,
    },
    ...(followed ? [claimSha256(followed.sha256, downloaded.sha256, 'the export’s')] : []),
  ];
}

function renderTrouble(ended: Job, sent: EmailMessage | undefined): string {
  if (sent?.status === 'suppressed')
    return `not at all: ${RECEIVER.address} is on the tenant’s suppression list (GET /email-suppressions)`;
  return [renderOutcome(ended), sent?.reason, sent?.reply].filter((text) => text != null).join(': ');
}
