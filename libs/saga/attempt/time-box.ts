/** The time one attempt has (S13): it is told to end in time to report, and given up when it does not. */

/** From the end of the box until the engine itself times the attempt out: room to report. */
export const REPORT_GRACE_MS = 5_000;
/** Beyond start-to-close, before a lease counts as over. */
export const LEASE_SKEW_MS = 1_000;
/** Undos and probes are short by nature. */
export const UNDO_TIMEOUT_MS = 60_000;

/** Start-to-close, as the server enforces it. */
export function startToCloseMs(timeoutMs: number): number {
  return timeoutMs + REPORT_GRACE_MS;
}

/** The lease of a claim: it covers start-to-close, not the heartbeat time-out (SAGA_RULES, ledger). */
export function leaseMsOf(timeoutMs: number): number {
  return startToCloseMs(timeoutMs) + LEASE_SKEW_MS;
}

/** The function did not end when told to; whatever it still does is covered by the lease. */
export class Overrun extends Error {
  override readonly name = 'Overrun';
}

export type Interruption = 'cancelled' | 'stopped' | 'timed_out';

interface TimeBoxOptions {
  readonly timeoutMs: number;
  readonly host: { readonly signal: AbortSignal; isCancelled(): boolean };
  timer(ms: number, fire: () => void): () => void;
}

export interface TimeBox {
  /** Aborted on cancel, when the process is to end, and when time is up. */
  readonly signal: AbortSignal;
  /** Why it was aborted. */
  readonly interruption: Interruption | undefined;
  /** Awaits `work`, at most until it can no longer report; then throws {@link Overrun}. */
  run<R>(work: () => Promise<R>): Promise<R>;
}

/** Opens a time box; it closes itself when `run` has settled. */
export function openTimeBox({ timeoutMs, host, timer }: TimeBoxOptions): TimeBox {
  const controller = new AbortController();
  let interruption: Interruption | undefined;
  const interrupt = (why: Interruption): void => {
    if (interruption) return;
    interruption = why;
    controller.abort(new Error(`The attempt is to end: ${why}`));
  };
  const onHost = (): void => interrupt(host.isCancelled() ? 'cancelled' : 'stopped');
  if (host.signal.aborted) onHost();
  host.signal.addEventListener('abort', onHost, { once: true });
  const disarmEnd = timer(timeoutMs, () => interrupt('timed_out'));

  return {
    signal: controller.signal,
    get interruption() {
      return interruption;
    },
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
        disarmEnd();
        disarmOverrun();
        host.signal.removeEventListener('abort', onHost);
      }
    },
  };
}
