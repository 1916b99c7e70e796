/** How `longhaul api|relay|worker` fail: a sentence where the user can mend it, and an exit code for the supervisor. */
import { completeEnvironment } from '../../libs/embedded/process-environment.js';

const EXIT_FAILED = 1;

/** Completes the environment from the stack that runs here, and runs the process; exits with 1 when it throws. */
export async function runProcess(run: () => Promise<void>): Promise<void> {
  try {
    completeEnvironment(process.env);
    await run();
  } catch (error) {
    process.stderr.write(`${describe(error)}\n`);
    process.exit(EXIT_FAILED); // whatever was opened until then must not keep it
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, port } = error as { code?: unknown; port?: unknown };
  if (code === 'EADDRINUSE') {
    return `Port ${String(port)} is taken: another process serves there already, or PORT or METRICS_PORT names the wrong one.`;
  }
  return error.stack ?? error.message;
}
