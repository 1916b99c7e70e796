/**
 * Where webhooks may go (SSRF). A URL is judged twice: when an endpoint is registered, as far as the URL itself tells, and
 * before each connection, by the address that is then dialled.
 */
import { isIP } from 'node:net';
import { isInNetworks, ownAddresses, parseNetwork, refusalOfAddress, type Network } from './address.js';

export const URL_LENGTH_MAX = 2_000;
const PORTS: ReadonlySet<string> = new Set(['', '443', '8443']);
/** Names that mean this machine, or a network that is not the internet (RFC 6761, 6762, 9476; `internal`: ICANN). */
const INSIDE_NAMES =
  /(?:^|\.)(?:localhost|local|internal|intranet|lan|home\.arpa|corp|home|test|invalid|alt|onion)$/;

/** What the operator allows beside the public internet: these networks, on any port, over http too. */
export interface TargetPolicy {
  readonly allowed: readonly Network[];
  /** Asked before each connection: addresses come and go. */
  readonly own: () => ReadonlySet<string>;
}

/** The policy of `LONGHAUL_WEBHOOK_ALLOWED_NETWORKS`; throws where one of them is no network. */
export function targetPolicy(networks: readonly string[]): TargetPolicy {
  return { allowed: networks.map(parseNetwork), own: ownAddresses };
}

/** Somebody asked for a connection that no webhook may make. */
export class TargetRefused extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'TargetRefused';
  }
}

/** Why no webhook may be sent to this URL; undefined where the URL alone does not tell. */
export function refusalOfUrl(text: string, policy: TargetPolicy): string | undefined {
  const url = text.length <= URL_LENGTH_MAX ? URL.parse(text) : null;
  if (!url) return `expected an absolute URL of at most ${URL_LENGTH_MAX} characters`;
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'only https is allowed';
  if (url.username !== '' || url.password !== '') return 'user and password are not allowed in it';
  if (url.hash !== '') return 'a fragment is never sent; leave it out';
  const host = hostOf(url);
  if (isIP(host) > 0) return refusalOfTarget(host, url, policy);
  if (policy.allowed.length > 0) return undefined; // where the name leads is known when it is dialled
  if (INSIDE_NAMES.test(host) || !host.includes('.')) return `${host} is a name of the inside`;
  return refusalOfDoor(url);
}

/** Why this address must not be dialled for this URL; undefined where it may. */
export function refusalOfTarget(
  address: string,
  url: Pick<URL, 'protocol' | 'port'>,
  { allowed, own }: TargetPolicy,
): string | undefined {
  if (isInNetworks(address, allowed)) return undefined;
  const refusal = refusalOfAddress(address, own());
  return refusal === undefined ? refusalOfDoor(url) : `${address} is ${refusal}`;
}

/** The host as resolvers know it: IPv6 without brackets, no root dot. */
export function hostOf({ hostname }: Pick<URL, 'hostname'>): string {
  return hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
}

function refusalOfDoor({ protocol, port }: Pick<URL, 'protocol' | 'port'>): string | undefined {
  if (protocol !== 'https:') return 'only https is allowed';
  return PORTS.has(port) ? undefined : `port ${port} is not allowed; 443 and 8443 are`;
}
