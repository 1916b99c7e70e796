/** An event as its tenant gives it, and the bytes every endpoint gets of it. */
import { z } from 'zod';

/** Of what is sent, in all: the size Standard Webhooks advises. */
export const PAYLOAD_BYTES_MAX = 20_000;
const NAME_LENGTH_MAX = 100;

/** Words joined by dots (Standard Webhooks, "Event types"). */
export const EventType = z
  .string()
  .max(NAME_LENGTH_MAX)
  .regex(/^[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*$/, 'must be words joined by dots, e.g. invoice.paid');

export const WebhookEvent = z
  .strictObject({
    event: z
      .string()
      .min(1)
      .max(NAME_LENGTH_MAX)
      .describe('The event’s own name; the same name again is the same event.'),
    type: EventType,
    occurredAt: z.iso.datetime().optional().describe('By default when it was submitted.'),
    data: z.record(z.string(), z.json()).describe('What endpoints get as `data`.'),
    endpoint: z.uuid().optional().describe('This endpoint alone, whatever it subscribes to.'),
  })
  .refine((event) => byteLength(payloadOf(event, new Date(0))) <= PAYLOAD_BYTES_MAX, {
    path: ['data'],
    message: `makes a payload of more than ${PAYLOAD_BYTES_MAX} bytes; send a reference instead`,
  });
export type WebhookEvent = z.output<typeof WebhookEvent>;

/** The payload of Standard Webhooks, the same on every attempt. `submittedAt` stands in for a time of its own. */
export function payloadOf(
  {
    type,
    occurredAt,
    data,
  }: { readonly type: string; readonly occurredAt?: string | undefined; readonly data: object },
  submittedAt: Date,
): string {
  return JSON.stringify({ type, timestamp: occurredAt ?? submittedAt.toISOString(), data });
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
