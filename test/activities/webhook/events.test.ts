import { describe, expect, test } from 'vitest';
import { payloadBytes } from '../../../activities/webhook/payloads.js';
import { patternsOf } from '../../../activities/webhook/webhook-fanout.js';
import { PAYLOAD_BYTES_MAX, WebhookEvent } from '../../../workflows/webhook-event.js';

describe('an event', () => {
  test('is for those who subscribe to its type, to a prefix of it, or to all', () => {
    expect(patternsOf('invoice.line.paid')).toEqual([
      '*',
      'invoice.*',
      'invoice.line.*',
      'invoice.line.paid',
    ]);
  });

  test('makes the same bytes whenever they are made', () => {
    const jobId = '019ab000-0000-7000-8000-000000000000';
    const event = { event: 'e', type: 'a.b', data: { z: 1, a: 'é' } };
    const text = Buffer.from(payloadBytes(jobId, event)).toString();
    expect(text).toBe(
      `{"type":"a.b","timestamp":"${new Date(0x019ab0000000).toISOString()}","data":{"z":1,"a":"é"}}`,
    );
    const occurredAt = '2026-01-02T03:04:05Z';
    expect(Buffer.from(payloadBytes(jobId, { ...event, occurredAt })).toString()).toContain(occurredAt);
  });

  test('may be of 20 kB, and no more', () => {
    const sized = (bytes: number) => {
      const event = { event: 'e', type: 'a.b', data: { text: '' } };
      const envelope = payloadBytes('019ab000-0000-7000-8000-000000000000', event).length;
      return WebhookEvent.safeParse({ ...event, data: { text: 'x'.repeat(bytes - envelope) } }).success;
    };
    expect([sized(PAYLOAD_BYTES_MAX), sized(PAYLOAD_BYTES_MAX + 1)]).toEqual([true, false]);
  });
});
