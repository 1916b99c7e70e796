/** Writes down what came of many small things, so many at a time that the database is not what they wait for. */
export interface BatchRecorder<T> {
  /** Resolves at once, unless too many wait to be written. */
  add(outcome: T): Promise<void> | undefined;
  /** Outcomes could not be written down: nothing more may be begun. */
  hasFailed(): boolean;
  /** Resolves once all that was added is written; throws what went wrong. */
  drain(): Promise<void>;
}

export interface BatchLimits {
  /** Outcomes written together … */
  readonly atOnceMax: number;
  /** … or as many as there are after so long. */
  readonly afterMs: number;
  /** Outcomes on their way: beyond it whoever adds one is to wait. */
  readonly unwrittenMax: number;
}

/** `record` is called with one batch at a time. */
export function openBatchRecorder<T>(
  record: (batch: readonly T[]) => Promise<void>,
  { atOnceMax, afterMs, unwrittenMax }: BatchLimits,
): BatchRecorder<T> {
  let pending: T[] = [];
  let timer: NodeJS.Timeout | undefined;
  let failure: { readonly error: unknown } | undefined;
  let writing: Promise<void> = Promise.resolve();
  let unwritten = 0;

  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const batch = pending;
    pending = [];
    if (batch.length === 0) return writing;
    unwritten += batch.length;
    return (writing = writing
      .then(() => record(batch))
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .then(() => {
        unwritten -= batch.length;
      }));
  }

  return {
    add(outcome) {
      pending.push(outcome);
      if (pending.length < atOnceMax) {
        timer ??= setTimeout(() => void flush(), afterMs);
        return undefined;
      }
      const written = flush();
      return unwritten > unwrittenMax ? written : undefined;
    },
    hasFailed: () => failure !== undefined,
    async drain() {
      await flush();
      if (failure) throw failure.error;
    },
  };
}
