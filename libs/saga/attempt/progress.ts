/** A step's progress on its way to the ledger: at most four times a second, the last one always. */
import type { StepProgress } from '../implement.js';

const PROGRESS_INTERVAL_MS = 250;

interface ReporterOptions {
  readonly now: () => number;
  readonly timer: (ms: number, fire: () => void) => () => void;
  readonly write: (progress: StepProgress) => Promise<void>;
  readonly onLost: (error: unknown) => void;
}

export interface ProgressReporter {
  report(progress: StepProgress): void;
  /** Stops writing and answers the last report, to be stored with the attempt's end. */
  close(): StepProgress | undefined;
}

/** A reporter that keeps one write in flight at most; a lost write is told and made good by the next. */
export function createProgressReporter({ now, timer, write, onLost }: ReporterOptions): ProgressReporter {
  let latest: StepProgress | undefined;
  let isFresh = false;
  let isClosed = false;
  let nextAt = -Infinity;
  let disarm: (() => void) | undefined;

  const flush = (): void => {
    disarm = undefined;
    if (isClosed || !isFresh || !latest) return;
    isFresh = false;
    nextAt = Infinity;
    write(latest)
      .catch(onLost)
      .finally(() => {
        nextAt = now() + PROGRESS_INTERVAL_MS;
        if (isFresh) schedule();
      });
  };
  const schedule = (): void => {
    if (disarm || isClosed || nextAt === Infinity) return;
    const waitMs = nextAt - now();
    if (waitMs > 0) disarm = timer(waitMs, flush);
    else flush();
  };

  return {
    report(progress) {
      latest = { ...latest, ...progress };
      isFresh = true;
      schedule();
    },
    close() {
      isClosed = true;
      disarm?.();
      return latest;
    },
  };
}
