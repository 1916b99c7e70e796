/** The payment provider as payouts need it: pay under a key, look under a key, close a key, screen a recipient. */
import { z } from 'zod';
import { unreadableAnswer } from '../../libs/http/http-failure.js';
import { Rejected } from '../../libs/saga/failure.js';
import { openConnection, type ConnectionOptions } from './provider.connection.js';

export interface TransferOrder {
  /** The effect key: the same on every attempt. */
  readonly key: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly recipient: string;
  readonly reference: string;
}

const Transfer = z.object({
  id: z.string().min(1).max(200),
  key: z.string(),
  amountMinor: z.int().positive(),
  currency: z.string(),
  recipient: z.string(),
});
/** What the provider has paid. */
export type Transfer = z.output<typeof Transfer>;

const Recipient = z.object({ status: z.enum(['allowed', 'blocked']) });
const Closed = z.union([
  z.object({ burnt: z.literal(true) }),
  z.object({ burnt: z.literal(false), transfer: Transfer }),
]);

export type Screening = 'allowed' | 'blocked' | 'unknown';

export interface PaymentProvider {
  /** Pays; the same key again is the same transfer. Throws what S12 makes of the answer. */
  transfer(order: TransferOrder, signal: AbortSignal): Promise<Transfer>;
  /** Makes sure that nothing will be paid under a key, or answers what was: a look and a fence in one (S5). */
  closeKey(key: string, signal: AbortSignal): Promise<Transfer | undefined>;
  screen(recipient: string, signal: AbortSignal): Promise<Screening>;
  /** Cuts what is under way. */
  close(): Promise<void>;
}

export function createPaymentProvider(options: ConnectionOptions): PaymentProvider {
  const connection = openConnection(options);

  return {
    async transfer({ key, ...order }, signal) {
      const what = 'The transfer';
      const transfer = await connection.call({
        method: 'POST',
        path: '/transfers',
        what,
        answer: Transfer,
        signal,
        body: order,
        idempotencyKey: key,
      });
      if (transfer === 'absent') throw new Rejected('http_404', `${what} was answered 404`);
      const { amountMinor, currency, recipient } = transfer;
      const isOurs =
        amountMinor === order.amountMinor && currency === order.currency && recipient === order.recipient;
      // Something was paid, and it is not what was asked for: nobody may take it for done.
      if (!isOurs) throw unreadableAnswer(what, `transfer ${transfer.id} is another than was ordered`);
      return transfer;
    },
    async closeKey(key, signal) {
      const what = 'The closing of the key';
      // Repeated, it is the same: whatever becomes of an answer, the next one tells.
      const closed = await connection.call({
        method: 'DELETE',
        path: `/transfers/by-key/${encodeURIComponent(key)}`,
        what,
        answer: Closed,
        signal,
        isRead: true,
      });
      // A provider that cannot close keys must not be taken for one that has.
      if (closed === 'absent') throw unreadableAnswer(what, '404 says neither closed nor paid');
      return closed.burnt ? undefined : closed.transfer;
    },
    async screen(recipient, signal) {
      const found = await connection.call({
        method: 'GET',
        path: `/recipients/${encodeURIComponent(recipient)}`,
        what: 'The screening',
        answer: Recipient,
        signal,
        isRead: true,
      });
      return found === 'absent' ? 'unknown' : found.status;
    },
    close: () => connection.close(),
  };
}
