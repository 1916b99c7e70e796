/** Which addresses a webhook may be sent to: the public internet's, and what the operator allows beside it. */
import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
export type Network = readonly [Address, number];

/** Public by their range, and yet the inside of a cloud. */
const METADATA: ReadonlyMap<string, string> = new Map([
  ['169.254.169.254', 'a cloud’s metadata service'],
  ['169.254.170.2', 'a cloud’s metadata service'],
  ['168.63.129.16', 'a cloud’s metadata service'],
  ['100.100.100.200', 'a cloud’s metadata service'],
  ['fd00:ec2::254', 'a cloud’s metadata service'],
]);
/** What is given out to hosts of the internet; everything else of IPv6 is somebody's inside, or nobody's. */
const GLOBAL_IPV6: Network = ipaddr.parseCIDR('2000::/3');

const RANGES: Readonly<Record<string, string>> = {
  unspecified: 'the unspecified address',
  broadcast: 'a broadcast address',
  multicast: 'a multicast address',
  linkLocal: 'a link-local address',
  loopback: 'a loopback address',
  carrierGradeNat: 'a carrier’s private address (100.64.0.0/10)',
  private: 'a private address',
  uniqueLocal: 'a unique local address',
  ipv4Mapped: 'an IPv4 address in IPv6 spelling',
  rfc6145: 'a translated IPv4 address',
  rfc6052: 'an IPv4 address behind NAT64',
  '6to4': 'an IPv4 address behind 6to4',
  teredo: 'an IPv4 address behind Teredo',
};

/** What an address is refused for, e.g. `a loopback address`; undefined where it is public, and not one of `own`. */
export function refusalOfAddress(text: string, own: ReadonlySet<string> = new Set()): string | undefined {
  const address = parse(text);
  if (!address) return 'no address';
  const name = address.toString();
  if (METADATA.has(name)) return METADATA.get(name);
  const range = address.range();
  if (range !== 'unicast') return RANGES[range] ?? 'a reserved address';
  if (address.kind() === 'ipv6' && !isWithin(address, [GLOBAL_IPV6])) return 'a reserved address';
  return own.has(name) ? 'an address of this machine' : undefined;
}

/** Whether the address lies in one of the networks. An IPv4 address in IPv6 spelling lies in none of IPv4's. */
export function isInNetworks(text: string, networks: readonly Network[]): boolean {
  const address = parse(text);
  return address !== undefined && isWithin(address, networks);
}

/** `127.0.0.0/8` as a network; throws where it is none. */
export function parseNetwork(text: string): Network {
  return ipaddr.parseCIDR(text);
}

/** Whether {@link parseNetwork} takes it. */
export function isNetwork(text: string): boolean {
  return ipaddr.isValidCIDR(text);
}

/** The addresses this machine has now, as {@link refusalOfAddress} compares them. */
export function ownAddresses(): ReadonlySet<string> {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return new Set(all.flatMap(({ address }) => parse(address)?.toString() ?? []));
}

function parse(text: string): Address | undefined {
  return ipaddr.isValid(text) ? ipaddr.parse(text) : undefined;
}

function isWithin(address: Address, networks: readonly Network[]): boolean {
  return networks.some(
    ([base, bits]) => base.kind() === address.kind() && (address as ipaddr.IPv6).match(base, bits),
  );
}
