/** The bytes of events. */
import { Buffer } from 'node:buffer';
import { payloadOf, type WebhookEvent } from '../../workflows/webhook-event.js';

const TIME_DIGITS = 12;

/** What every endpoint gets of an event, on every attempt. Its job's id, a UUIDv7, tells when it was submitted. */
export function payloadBytes(jobId: string, event: WebhookEvent): Uint8Array {
  const submittedAtMs = Number.parseInt(jobId.replaceAll('-', '').slice(0, TIME_DIGITS), 16);
  return Buffer.from(payloadOf(event, new Date(submittedAtMs)));
}
