/** The times an attempt lives by (S13). Pure: the workflow sandbox imports them too. */

/** From the end of the time box until the server itself times the attempt out: room to report. */
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
