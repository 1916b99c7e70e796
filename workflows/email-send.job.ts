/**
 * `email.send`: a message from a template, to one recipient or to each of a list. Messages are rows, sent many at a time by
 * one step, not workflows. A cancel stops what is not sent; what is sent cannot be taken back, and the job says so.
 */
import { z } from 'zod';
import { compensable, defineJob } from '../libs/saga/define.js';
import { Count } from '../libs/saga/values.js';
import { EmailRequest, EmailTally } from './email-message.js';

export const emailSend = defineJob({
  kind: 'email.send',
  summary: 'Sends a message from a template to one recipient or to a list',
  queue: 'emails',
  input: EmailRequest,
  result: EmailTally,
  naturalKey: ({ message }) => [message],
  // Beyond the last retry, which comes after 28 hours, and a server that is away over a weekend.
  deadline: '120h',
  example: {
    message: 'invoice-4711/paid',
    template: 'invoice-paid',
    to: { address: 'ada@example.com', name: 'Ada Lovelace' },
    variables: { invoice: '4711', amount: '12.50 EUR' },
  },
  steps: {
    enroll: compensable({
      summary: 'List the recipients',
      pool: 'io',
      effect: 'own',
      output: z.strictObject({ recipients: Count }),
      undo: 'withdraw',
    }),
    // Receivers know a repeat by its Message-ID: to them the effect is keyed. While messages wait for their next attempt the
    // step is put off: that costs no attempt, and no worker waits.
    deliver: compensable({
      summary: 'Send to each recipient, again and again until the server takes it or refuses it',
      pool: 'io',
      effect: 'keyed',
      output: EmailTally,
      timeout: '5m',
      longerBecause: 'a server may think for minutes before it takes a message (RFC 5321, 4.5.3.2.6)',
      heartbeat: '10s',
      // A database or a worker that is away for some minutes is no reason to leave a list half written to.
      retry: { attempts: 40 },
      undo: 'stop',
    }),
  },
  async run({ steps }) {
    await steps.enroll();
    return steps.deliver();
  },
});
