/** The URLs of endpoints, taken apart once and kept: an endpoint gets many events. */

const KEPT_MAX = 20_000;

export interface Destination {
  readonly origin: string;
  /** With its query. */
  readonly path: string;
  /** With its port, where it names one. */
  readonly host: string;
}

export type Destinations = (url: string) => Destination;

export function createDestinations(): Destinations {
  const kept = new Map<string, Destination>();
  return (url) => {
    const known = kept.get(url);
    if (known) return known;
    const destination = destinationOf(url);
    if (kept.size >= KEPT_MAX) kept.clear();
    kept.set(url, destination);
    return destination;
  };
}

/** Throws a TypeError where it is no URL. */
export function destinationOf(url: string): Destination {
  const { origin, pathname, search, host } = new URL(url);
  return { origin, path: pathname + search, host };
}
