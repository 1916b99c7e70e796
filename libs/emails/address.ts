/** Addresses of e-mail: which are taken, and how two spellings of one are known (RFC 5321, 4.1.2; without quoted local parts). */
import { domainToASCII } from 'node:url';

const LOCAL_LENGTH_MAX = 64;
const ADDRESS_LENGTH_MAX = 254;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const LOCAL = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;

export type ParsedAddress =
  /** Its domain in lower case and punycode, as it is written into envelopes. */
  | { readonly ok: true; readonly address: string; readonly domain: string }
  | { readonly ok: false; readonly problem: string };

/** Judges an address by itself: nothing is looked up. The problem never quotes it. */
export function parseAddress(text: string): ParsedAddress {
  const trimmed = text.trim();
  const at = trimmed.lastIndexOf('@');
  if (at < 0) return refused('has no @');
  const local = trimmed.slice(0, at);
  if (local === '') return refused('has nothing before the @');
  if (local.length > LOCAL_LENGTH_MAX)
    return refused(`has more than ${LOCAL_LENGTH_MAX} characters before the @`);
  if (!LOCAL.test(local))
    return refused("has characters before the @ that are not taken (letters, digits, .!#$%&'*+/=?^_`{|}~-)");
  const domain = domainToASCII(trimmed.slice(at + 1)).toLowerCase();
  const labels = domain.split('.');
  if (labels.length < 2 || !labels.every((label) => LABEL.test(label)) || /^\d+$/.test(labels.at(-1) ?? '')) {
    return refused('has no domain’s name after the @');
  }
  const address = `${local}@${domain}`;
  if (address.length > ADDRESS_LENGTH_MAX) return refused(`is longer than ${ADDRESS_LENGTH_MAX} characters`);
  return { ok: true, address, domain };
}

function refused(problem: string): ParsedAddress {
  return { ok: false, problem: `The address ${problem}.` };
}

/** By which a suppression is found: hardly any server tells upper from lower case, and none should be relied on to. */
export function suppressionKeyOf(address: string): string {
  return `email/${address.toLowerCase()}`;
}

/** `ada@example.com` → `a…@example.com`: enough to recognise it, not to write to it. */
export function redactAddress(address: string): string {
  const at = address.lastIndexOf('@');
  return `${address.slice(0, 1)}…${address.slice(at)}`;
}

/** `Ada Lovelace <ada@example.com>`, or the address alone; undefined where it is neither. */
export function parseMailbox(text: string): { readonly address: string; readonly name?: string } | undefined {
  const [, name, inside, alone] = /^(?:([^<>]*)<([^<>]+)>|([^<>\s]+))$/u.exec(text.trim()) ?? [];
  const parsed = parseAddress(inside ?? alone ?? '');
  if (!parsed.ok) return undefined;
  const said = name?.trim().replace(/^"(.*)"$/, '$1') ?? '';
  return { address: parsed.address, ...(said === '' ? {} : { name: said }) };
}
