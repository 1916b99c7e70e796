/** Which endpoints are slow to answer, as this process has seen it last. */
export interface Paces {
  took(endpointId: string, isSlow: boolean): void;
  isSlow(endpointId: string): boolean;
}

const KEPT_MAX = 20_000;

export function createPaces(): Paces {
  const slow = new Set<string>();
  return {
    took(endpointId, isSlow) {
      if (!isSlow) slow.delete(endpointId);
      else if (slow.size < KEPT_MAX) slow.add(endpointId);
    },
    isSlow: (endpointId) => slow.has(endpointId),
  };
}
