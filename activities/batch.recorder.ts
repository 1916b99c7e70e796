/** Writes down what came of many small things, so many at a time that the database is not what they wait for. */
export interface BatchRecorder<T> {
  add(outcome: T): void;
  /** Outcomes could not be written down: nothing more may be begun. */
  hasFailed(): boolean;
  /** Writes the rest; throws what went wrong. */
  close(): Promise<void>;
}

export interface BatchLimits {
  /** Outcomes written together … */
  readonly atOnceMax: number;
  /** … or as many as there are after so long. */
  readonly afterMs: number;
}

/** `record` is called with one batch at a time. */
export function openBatchRecorder<T>(
  record: (batch: readonly T[]) => Promise<void>,
  { atOnceMax, afterMs }: BatchLimits,
): BatchRecorder<T> {
  let pending: T[] = [];
  let timer: NodeJS.Timeout | undefined;
  let failure: { readonly error: unknown } | undefined;
  let writing: Promise<void> = Promise.resolve();

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const batch = pending;
    pending = [];
    if (batch.length === 0) return;
    writing = writing
      .then(() => record(batch))
      .catch((error: unknown) => {
        failure ??= { error };
      });
  }

  return {
    add(outcome) {
      pending.push(outcome);
      if (pending.length >= atOnceMax) flush();
      else timer ??= setTimeout(flush, afterMs);
    },
    hasFailed: () => failure !== undefined,
    async close() {
      flush();
      await writing;
      if (failure) throw failure.error;
    },
  };
}
