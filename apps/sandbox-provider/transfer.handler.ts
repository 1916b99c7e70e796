/** `POST /transfers`: pays once for each idempotency key, and says so when the first request is not decided yet. */
import { z } from 'zod';
import { invalid, json, refusal, type Answer, type JsonAnswer } from './answer.js';
import type { FaultSubject } from './fault-plan.js';
import type { TransferOrder, TransfersStore } from './transfers.store.js';

const AMOUNT_MINOR_MAX = 1_000_000_000_000;
const KEY = /^[\x21-\x7e]{1,255}$/;

export const Name = z.string().min(1).max(255);
const Order = z.strictObject({
  amountMinor: z.int().positive().max(AMOUNT_MINOR_MAX),
  currency: z.string().regex(/^[A-Z]{3}$/),
  recipient: Name,
  reference: Name,
});

/**
 * Keys whose first request is not decided yet. In memory: after a crash there are none, because none of those requests
 * can act any more.
 */
export type InFlight = Set<string>;

export interface TransferParts {
  readonly transfers: TransfersStore;
  readonly inFlight: InFlight;
  /** Does the work in the way the request's fault says. */
  readonly faulty: (subject: FaultSubject, work: () => JsonAnswer) => Promise<Answer>;
}

export interface TransferRequest {
  readonly idempotencyKey: string | undefined;
  readonly body: unknown;
  readonly duplicateDetection: boolean;
  /** Aborted when nobody waits for the answer any more. */
  readonly gone: AbortSignal;
}

export const IN_FLIGHT: JsonAnswer = refusal(
  409,
  'idempotency_in_flight',
  'The first request with this key is still in flight.',
  { 'retry-after': '1' },
);

export async function handleTransfer(
  { transfers, inFlight, faulty }: TransferParts,
  { idempotencyKey: key, body, duplicateDetection, gone }: TransferRequest,
): Promise<Answer> {
  if (key === undefined || !KEY.test(key)) {
    return refusal(400, 'idempotency_key_missing', 'Idempotency-Key: 1 to 255 visible characters.');
  }
  const order = Order.safeParse(body);
  if (!order.success) return invalid(order.error);
  if (duplicateDetection && inFlight.has(key)) return IN_FLIGHT;
  inFlight.add(key);
  let isUndecided = true;
  const decided = (): void => {
    isUndecided = false;
    inFlight.delete(key);
  };
  try {
    const { recipient, reference } = order.data;
    const answer = await faulty({ route: 'transfer', key, recipient, reference }, () => {
      const paid = pay(transfers, key, order.data, duplicateDetection);
      decided();
      return paid;
    });
    // A request that hangs undecided is one until its caller gives up.
    if (answer.kind === 'hang' && isUndecided && !gone.aborted) gone.addEventListener('abort', decided);
    else decided();
    return answer;
  } catch (error) {
    decided();
    throw error;
  }
}

function pay(
  transfers: TransfersStore,
  key: string,
  order: TransferOrder,
  duplicateDetection: boolean,
): JsonAnswer {
  const outcome = transfers.transfer(key, order, duplicateDetection);
  switch (outcome.kind) {
    case 'created':
      return json(201, outcome.transfer);
    case 'replayed':
      return json(200, outcome.transfer, { 'idempotent-replayed': 'true' });
    case 'key_reused':
      return refusal(422, 'idempotency_key_reused', 'This key came with another body before.');
    case 'key_burnt':
      return refusal(410, 'idempotency_key_burnt', 'This key was burnt: nothing is paid under it.');
    case 'refused':
      return refusal(422, outcome.code, outcome.message);
  }
}
