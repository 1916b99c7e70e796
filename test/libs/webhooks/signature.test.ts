import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { createSecret, keyOfSecret, signedHeaders } from '../../../libs/webhooks/signature.js';

const body = Buffer.from(JSON.stringify({ type: 'invoice.paid', data: { name: 'Zoë ✓' } }));

function sign(...secrets: string[]): Record<string, string> {
  const timestampSeconds = Math.floor(Date.now() / 1_000);
  return signedHeaders({ id: 'msg_1', timestampSeconds, body }, secrets.map(keyOfSecret));
}

test('a receiver that knows Standard Webhooks takes what is signed', () => {
  const secret = createSecret();
  expect(new Webhook(secret).verify(body, sign(secret))).toEqual(JSON.parse(body.toString()));
});

test('while the secret is changed, a receiver may know either', () => {
  const [before, after] = [createSecret(), createSecret()];
  const headers = sign(after, before);
  for (const secret of [before, after]) expect(() => new Webhook(secret).verify(body, headers)).not.toThrow();
});

test('another secret, another body, or another id is refused', () => {
  const secret = createSecret();
  const headers = sign(secret);
  expect(() => new Webhook(createSecret()).verify(body, headers)).toThrow();
  expect(() => new Webhook(secret).verify(`${body.toString()} `, headers)).toThrow();
  expect(() => new Webhook(secret).verify(body, { ...headers, 'webhook-id': 'msg_2' })).toThrow();
});
