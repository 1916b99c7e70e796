/** The time one attempt has (S13): it is told to end in time to report, and given up when it does not. */

import { startToCloseMs } from './limits.js';
import type { Host } from './world.js';

/** The function did not end when told to; whatever it still does is covered by the lease. */
export class Overrun extends Error {
  override readonly name = 'Overrun';
}

export type Interruption = 'cancelled' | 'stopped' | 'timed_out';

interface TimeBoxOptions {
  readonly timeoutMs: number;
  readonly host: Pick<Host, 'signal' | 'isCancelled' | 'openController'>;
  readonly timer: (ms: number, fire: () => void) => () => void;
  /** Of a pivot: its outcome decides what a wish to end is worth, so what has begun is let finish (S7). */
  readonly isDeafToCancel?: boolean;
}

export interface TimeBox {
  /** Aborted on cancel (but a pivot's), when the process is to end, and when time is up. */
  readonly signal: AbortSignal;
  /** Why it was aborted. */
  readonly interruption: Interruption | undefined;
  /** Awaits `work`, at most until it can no longer report; then throws {@link Overrun}. */
  run<R>(work: () => Promise<R>): Promise<R>;
  /** Nothing interrupts any more. */
  close(): void;
}

/** Opens a time box; it closes itself when `run` has settled. Whoever may never come to `run` closes it. */
export function openTimeBox({ timeoutMs, host, timer, isDeafToCancel }: TimeBoxOptions): TimeBox {
  const controller = host.openController?.() ?? new AbortController();
  // Plain data: an accessor in a literal gives every box a hidden class of its own, which outlives it for long.
  const box: TimeBox & { interruption: Interruption | undefined } = {
    signal: controller.signal,
    interruption: undefined,
    async run(work) {
      let disarmOverrun = (): void => undefined;
      const overrun = new Promise<never>((_, reject) => {
        disarmOverrun = timer(startToCloseMs(timeoutMs), () =>
          reject(new Overrun(`It did not end within ${timeoutMs} ms, nor when it was told to`)),
        );
      });
      try {
        return await Promise.race([work(), overrun]);
      } finally {
        box.close();
        disarmOverrun();
      }
    },
    close() {
      disarmEnd();
      host.signal.removeEventListener('abort', onHost);
    },
  };
  const interrupt = (why: Interruption): void => {
    if (box.interruption) return;
    box.interruption = why;
    controller.abort(new Error(`The attempt is to end: ${why}`));
  };
  const onHost = (): void => {
    if (!host.isCancelled()) interrupt('stopped');
    else if (!isDeafToCancel) interrupt('cancelled');
  };
  if (host.signal.aborted) onHost();
  host.signal.addEventListener('abort', onHost, { once: true });
  const disarmEnd = timer(timeoutMs, () => interrupt('timed_out'));
  return box;
}
