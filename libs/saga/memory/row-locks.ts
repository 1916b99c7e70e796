/** Row locks in memory: whoever comes second waits for whoever holds. */

export interface RowLocks {
  /** Runs `work` while holding the lock of `key`. */
  hold<R>(key: string, work: () => Promise<R>): Promise<R>;
  /** The same of work that is over at once: where nobody holds the lock, nobody can come between. */
  pass<R>(key: string, work: () => R): Promise<R>;
}

export function createRowLocks(): RowLocks {
  const last = new Map<string, Promise<unknown>>();
  const hold: RowLocks['hold'] = (key, work) => {
    const before = last.get(key);
    const mine = before ? before.then(work, work) : work();
    last.set(key, mine);
    const release = (): void => {
      if (last.get(key) === mine) last.delete(key);
    };
    mine.then(release, release);
    return mine;
  };
  return {
    hold,
    async pass(key, work) {
      return last.has(key) ? hold(key, async () => work()) : work();
    },
  };
}
