/** How a command says that it failed: one clear message on stderr and an exit code, never a stack for what a user can mend. */
import { ProblemError } from '../../libs/client/problem.error.js';
import { CipherError } from '../../libs/security/cipher.error.js';
import { toPlain } from './terminal.js';

/** A failure that is the user's to mend; its message says how. */
export class CommandError extends Error {
  constructor(
    message: string,
    readonly exitCode = 1,
  ) {
    super(message);
    this.name = 'CommandError';
  }
}

const EXIT_FAILED = 1;

/** Makes an action that reports its failure and sets the exit code instead of throwing. */
export function action<A extends unknown[]>(
  run: (...args: A) => Promise<void>,
): (...args: A) => Promise<void> {
  return async (...args) => {
    try {
      await run(...args);
    } catch (error) {
      process.stderr.write(`${describeFailure(error)}\n`);
      process.exitCode = error instanceof CommandError ? error.exitCode : EXIT_FAILED;
    }
  };
}

export function describeFailure(error: unknown): string {
  if (error instanceof CommandError) return error.message;
  if (error instanceof CipherError) return error.message;
  if (error instanceof ProblemError) return describeProblem(error);
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause as { code?: unknown; message?: string } | undefined;
  if (error instanceof TypeError && cause?.code === 'ECONNREFUSED') {
    return `Nobody answers there (${toPlain(cause.message || 'connection refused')}). Is it running? Start it with \`npm start\`.`;
  }
  if (error instanceof TypeError && cause !== undefined) {
    return `The API could not be reached: ${toPlain(cause.message ?? 'no reason given')}`;
  }
  if (error.name === 'TimeoutError') return 'The API did not answer in time.';
  return error.stack ?? error.message;
}

function describeProblem(problem: ProblemError): string {
  const hint =
    problem.status === 401
      ? ['The key is not valid here: give --key or LONGHAUL_KEY, or take the one in run.json.']
      : problem.code === 'role_too_low'
        ? ["This is an operator's: give --key or LONGHAUL_OPERATOR_KEY (run.json has one as keys.operator)."]
        : [];
  const lines = [
    `${problem.status} ${problem.code}: ${problem.detail ?? problem.title}`,
    ...problem.errors.map((field) => `  ${field.pointer || '/'}: ${field.detail}`),
    ...(problem.traceId === undefined ? [] : [`  trace: ${problem.traceId}`]),
    ...hint,
  ];
  return lines.map(toPlain).join('\n');
}
