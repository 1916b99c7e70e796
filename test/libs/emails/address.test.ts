import { expect, it } from 'vitest';
import { parseAddress, parseMailbox, redactAddress } from '../../../libs/emails/address.js';

it.each([
  ['Ada.Lovelace+books@Example.COM', 'Ada.Lovelace+books@example.com'],
  [' ada@bücher.example ', 'ada@xn--bcher-kva.example'],
  ["o'brien@mail.example.co.uk", "o'brien@mail.example.co.uk"],
  ['ada@почта.example', 'ada@xn--80a1acny.example'],
])('takes %s, its domain in lower case and punycode', (text, address) => {
  expect(parseAddress(text)).toMatchObject({ ok: true, address });
});

it.each([
  ['ada', 'has no @'],
  ['@example.com', 'has nothing before the @'],
  ['a b@example.com', 'has characters before the @'],
  ['"a b"@example.com', 'has characters before the @'],
  ['ada\r\nBcc: eve@example.com', 'has characters before the @'],
  ['ada@example.com\r\nBcc: eve', 'has no domain'],
  ['.ada@example.com', 'has characters before the @'],
  ['äda@example.com', 'has characters before the @'],
  ['ada@localhost', 'has no domain'],
  ['ada@127.0.0.1', 'has no domain'],
  ['ada@[127.0.0.1]', 'has no domain'],
  ['ada@-example.com', 'has no domain'],
  ['ada@example..com', 'has no domain'],
  [`${'a'.repeat(65)}@example.com`, 'more than 64 characters'],
  [`ada@${'a.'.repeat(130)}com`, 'longer than 254'],
])('refuses %j: it %s', (text, problem) => {
  const parsed = parseAddress(text);
  expect(parsed).toMatchObject({ ok: false, problem: expect.stringContaining(problem) as string });
});

it('reads a sender with or without a name', () => {
  expect(parseMailbox('"Example, Inc." <no-reply@example.com>')).toEqual({
    address: 'no-reply@example.com',
    name: 'Example, Inc.',
  });
  expect(parseMailbox('no-reply@example.com')).toEqual({ address: 'no-reply@example.com' });
  expect(parseMailbox('Example <no-reply>')).toBeUndefined();
});

it('shows enough of an address to recognise it', () => {
  expect(redactAddress('ada@example.com')).toBe('a…@example.com');
});
