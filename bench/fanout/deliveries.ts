/** What every contender of the bench `fanout` delivers, and how one delivery is made without Longhaul. */
import { Agent } from 'undici';
import { keyOfSecret, signedHeaders } from '../../libs/webhooks/signature.js';

export interface Task {
  readonly endpoints: readonly { readonly url: string; readonly secret: string }[];
  readonly events: number;
  /** Deliveries at a time. */
  readonly atOnce: number;
}

/** As large as an event about an order might be. */
export const EVENT = {
  type: 'order.paid',
  data: {
    order: 'ord_4711',
    customer: 'cus_0815',
    lines: Array.from({ length: 10 }, (_, line) => ({ line, amountMinor: 1_250 })),
  },
};

export interface Sender {
  /** Signs and posts; throws where the answer is no success. */
  send(id: string, endpoint: number): Promise<void>;
  close(): Promise<void>;
}

/** The bare loop's body: keep-alive connections, a signature, a POST. */
export function openSender({ endpoints, atOnce }: Task): Sender {
  const agent = new Agent({ connections: atOnce });
  const keys = endpoints.map(({ secret }) => keyOfSecret(secret));
  const body = Buffer.from(JSON.stringify({ ...EVENT, timestamp: new Date().toISOString() }));
  return {
    async send(id, index) {
      const { origin, pathname } = new URL(endpoints[index]!.url);
      const message = { id, timestampSeconds: Math.floor(Date.now() / 1_000), body };
      const { statusCode, body: answer } = await agent.request({
        origin,
        path: pathname,
        method: 'POST',
        headers: { 'content-type': 'application/json', ...signedHeaders(message, [keys[index]!]) },
        body,
      });
      await answer.dump();
      if (statusCode !== 204) throw new Error(`expected 204, got ${statusCode}`);
    },
    close: () => agent.close(),
  };
}
