/** Connections of webhooks: the name is resolved once, each address is judged, and one of those judged is dialled. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { buildConnector } from 'undici';
import { hostOf, refusalOfTarget, TargetRefused, type TargetPolicy } from './target.js';

const CONNECT_MS_MAX = 5_000;

/** The addresses of a name. */
export type Resolve = (host: string) => Promise<readonly string[]>;

export interface ConnectorOptions {
  readonly policy: TargetPolicy;
  /** By default the system's resolver, IPv4 first. */
  readonly resolve?: Resolve;
  /** PEM certificates of authorities beside the usual ones. */
  readonly ca?: string;
}

/** A connector for undici. It fails with {@link TargetRefused} before any socket is made where one address is refused. */
export function guardedConnector({
  policy,
  resolve = systemResolve,
  ca,
}: ConnectorOptions): buildConnector.connector {
  const dial = buildConnector({
    timeout: CONNECT_MS_MAX,
    allowH2: false,
    ...(ca === undefined ? {} : { ca }),
  });

  async function judged({ hostname, protocol, port }: buildConnector.Options): Promise<string> {
    const host = hostOf({ hostname });
    const addresses = isIP(host) > 0 ? [host] : await resolve(host);
    const [first] = addresses;
    if (first === undefined) throw new TargetRefused(`${host} has no address`);
    const door = { protocol, port: port === '443' && protocol === 'https:' ? '' : port };
    for (const address of addresses) {
      const refusal = refusalOfTarget(address, door, policy);
      if (refusal !== undefined) throw new TargetRefused(refusal);
    }
    return first;
  }

  return (options, callback) => {
    judged(options).then(
      // The name stays the server's name for TLS: only what is dialled is pinned.
      (address) => dial({ ...options, hostname: address }, callback),
      (error: unknown) => callback(error as Error, null),
    );
  };
}

async function systemResolve(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true, order: 'ipv4first' });
  return found.map(({ address }) => address);
}
