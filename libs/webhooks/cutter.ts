/** What is under way under one signal, to be cut when it fires: a listener for all of it instead of one for each. */
export interface Cutter {
  readonly isCut: boolean;
  /** Called when the signal fires. */
  add(cut: () => void): void;
  delete(cut: () => void): void;
}

/** A cutter that lives as long as `signal`. */
export function cutterOf(signal: AbortSignal): Cutter {
  const underWay = new Set<() => void>();
  signal.addEventListener('abort', () => underWay.forEach((cut) => cut()), { once: true });
  return {
    get isCut() {
      return signal.aborted;
    },
    add: (cut) => void underWay.add(cut),
    delete: (cut) => void underWay.delete(cut),
  };
}
