/** What a decision carries, from the command line: with `retry` corrected arguments, with `resolve` an output. */
import type { DeadLetter, DecisionName } from '../../libs/client/dead-letter.types.js';
import { CommandError } from './command.error.js';
import { parseInput, readInput } from './commands/submit.command.js';

export interface ValueFlags {
  readonly input?: string;
  readonly output?: string;
}

export interface DecisionValues {
  readonly input?: unknown;
  readonly output?: unknown;
}

/** Throws CommandError where a value is no JSON. */
export async function readValues({ input, output }: ValueFlags): Promise<DecisionValues> {
  return {
    ...(input === undefined ? {} : { input: await readValue('--input', input) }),
    ...(output === undefined ? {} : { output: await readValue('--output', output) }),
  };
}

async function readValue(option: '--input' | '--output', given: string): Promise<unknown> {
  return parseInput(await readInput(given, option), option, '{"id":"…"}');
}

/** Of one decision on many parks: throws CommandError where one value cannot be meant for all of them. */
export function checkShared(
  decision: DecisionName,
  { input, output }: ValueFlags,
  { kind, step }: { readonly kind?: string; readonly step?: string },
): void {
  if (input !== undefined && decision !== 'retry')
    throw new CommandError('--input goes with retry: corrected arguments of the step.');
  if (output !== undefined && decision !== 'resolve')
    throw new CommandError('--output goes with resolve: what the step answered.');
  if ((input !== undefined || output !== undefined) && (kind === undefined || step === undefined))
    throw new CommandError(
      `One ${input === undefined ? '--output' : '--input'} fits one step: narrow it with --kind and --step.`,
    );
}

/** Throws CommandError where the steps were asked with different arguments: the same for all of them would mix them up. */
export function checkSameArgs(letters: readonly DeadLetter[]): void {
  const different = Map.groupBy(letters, ({ args }) => JSON.stringify(args)).size;
  if (different <= 1) return;
  throw new CommandError(
    `Nothing was sent: these parks have ${different} different arguments, and one --input would make them all the same. ` +
      'Correct each by itself: ./longhaul parked ID retry --input …',
  );
}
