/** A graceful end, asked for by a signal or by the death of the supervising parent, and bounded in time. */

/** Why a process is asked to end. `disconnect`: its supervisor is gone, and an orphan must not stay. */
export type ShutdownReason = 'SIGTERM' | 'SIGINT' | 'disconnect';

const EXIT_GRACE_EXCEEDED = 70;

/**
 * Runs `handler` once when the process is asked to end, then exits: 0 when it succeeded, 1 when it threw, 70
 * when it took longer than `graceMs`. A second SIGINT exits at once (130), for the impatient.
 */
export function onShutdown(handler: (reason: ShutdownReason) => Promise<void> | void, graceMs: number): void {
  let begun = false;
  const begin = (reason: ShutdownReason): void => {
    if (begun) {
      if (reason === 'SIGINT') process.exit(130);
      return;
    }
    begun = true;
    setTimeout(() => {
      process.stderr.write(`Not shut down within ${graceMs} ms; exiting.\n`);
      process.exit(EXIT_GRACE_EXCEEDED);
    }, graceMs).unref();
    Promise.resolve()
      .then(() => handler(reason))
      .then(
        () => process.exit(0),
        (error: unknown) => {
          process.stderr.write(`Shutdown failed: ${error instanceof Error ? error.stack : String(error)}\n`);
          process.exit(1);
        },
      );
  };
  process.on('SIGTERM', () => begin('SIGTERM'));
  process.on('SIGINT', () => begin('SIGINT'));
  if (process.channel) process.on('disconnect', () => begin('disconnect'));
}
