/** What a server does, and what the client makes of it: against a real SMTP server with planned faults. */
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { startMailbox, type RunningMailbox } from '../../../apps/sandbox-mailbox/mailbox.server.js';
import { createSmtpClient, type Mail, type SmtpClient } from '../../../libs/emails/smtp.client.js';
import { verdictOn } from '../../../libs/emails/verdict.js';

let mailbox: RunningMailbox;
let client: SmtpClient;

beforeAll(async () => {
  mailbox = await startMailbox({ smtpPort: 0, port: 0, onError: (error) => console.error(error) });
  client = createSmtpClient({ url: mailbox.smtpUrl, connections: 1, silenceMsMax: 500 });
});
afterEach(() => {
  mailbox.faults.clear();
  mailbox.messages.clear();
});
afterAll(async () => {
  client.close();
  await mailbox.close();
});

const mail = (to: string): Mail => ({
  from: { address: 'no-reply@example.com', name: 'Zoë ✓' },
  to: { address: to, name: 'Ada "the first" Lovelace' },
  subject: 'Grüße',
  text: 'Hello',
  messageId: '<job.0@example.com>',
  envelope: { from: 'no-reply@example.com', to },
});
const got = (to: string) => mailbox.messages.list({ to, limit: 100 });
const trial = { attempt: 1, waitsMs: [60_000], random: 0 };

it('sends, and again over the same connection', async () => {
  expect(await client.send(mail('ada@example.com'))).toMatchObject({ kind: 'taken' });
  expect(await client.send(mail('ada@example.com'))).toMatchObject({ kind: 'taken' });
  expect(got('ada@example.com')).toHaveLength(2);
});

it.each([
  [
    'rcpt',
    '550 5.1.1 <ada@example.com> No such user',
    { state: 'refused', reason: 'smtp_550', isBounce: true },
  ],
  ['rcpt', '550 5.7.1 Not by policy', { state: 'refused', isBounce: false }],
  ['data', '554 5.6.0 Spam', { state: 'refused', reason: 'smtp_554', isBounce: false }],
  ['rcpt', '450 4.2.1 Greylisted', { state: 'open', reason: 'smtp_450', delayMs: 60_000, isAttempt: true }],
  ['mail', '452 4.3.1 No room', { state: 'open', reason: 'smtp_452' }],
  ['data', '451 4.3.0 Later', { state: 'open', reason: 'smtp_451' }],
] as const)('hears a refusal at %s: %s', async (at, reply, verdict) => {
  mailbox.faults.add({ at, reply, times: 1 });
  const answer = await client.send(mail('ada@example.com'));
  expect(answer).toMatchObject({ kind: 'refused', status: Number(reply.slice(0, 3)) });
  expect(JSON.stringify(answer)).not.toContain('ada@');
  if (answer.kind === 'denied') throw new Error('denied');
  expect(verdictOn(answer, trial)).toMatchObject(verdict);
  expect(got('ada@example.com')).toHaveLength(0);
  // The refusal is the message's: the next goes through.
  expect(await client.send(mail('ada@example.com'))).toMatchObject({ kind: 'taken' });
});

it('is in doubt of a message whose connection was cut after its end, and of no other', async () => {
  mailbox.faults.add({ at: 'data', drop: true, times: 1 });
  expect(await client.send(mail('ada@example.com'))).toMatchObject({ kind: 'cut', isDoubtful: true });
  expect(got('ada@example.com'), 'it was taken').toHaveLength(1);
  mailbox.faults.add({ at: 'rcpt', to: 'eve@example.com', drop: true, times: 2 });
  expect(await client.send(mail('eve@example.com'))).toMatchObject({ kind: 'cut', isDoubtful: false });
});

it.each([
  [{ at: 'rcpt', reply: '421 4.3.2 Shutting down' }],
  [{ at: 'connect', reply: '421 4.7.0 Too many connections' }],
  [{ at: 'connect', reply: '554 5.3.2 No service' }],
  [{ at: 'connect', drop: true }],
] as const)('takes %j for the server’s trouble, which costs a message no attempt', async (fault) => {
  const fresh = createSmtpClient({ url: mailbox.smtpUrl, connections: 1, silenceMsMax: 500 });
  mailbox.faults.add({ times: 10, ...fault });
  const answer = await fresh.send(mail('ada@example.com'));
  expect(answer).toMatchObject({ kind: 'away' });
  if (answer.kind === 'denied') throw new Error('denied');
  expect(verdictOn(answer, trial)).toMatchObject({ state: 'open', isAttempt: false });
  fresh.close();
});

it('finds nobody there, and a server that says nothing at all', async () => {
  const silent: Server = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const waiting = createSmtpClient({ url: `smtp://127.0.0.1:${port}/?greetingTimeout=200`, connections: 1 });
  expect(await waiting.send(mail('ada@example.com'))).toMatchObject({ kind: 'away', code: 'etimedout' });
  waiting.close();
  await new Promise<void>((resolve) => silent.close(() => resolve()));
  const nobody = createSmtpClient({ url: `smtp://127.0.0.1:${port}`, connections: 1 });
  expect(await nobody.send(mail('ada@example.com'))).toMatchObject({ kind: 'away' });
  nobody.close();
});
