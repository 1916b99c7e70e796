/** `longhaul up` (`npm start`): the whole stack in the foreground. */
import type { Command } from 'commander';
import { action, CommandError } from '../command.error.js';
import { countStopWishes } from '../stop-wish.counter.js';
import { openTerminal } from '../terminal.js';
import { openUpView } from '../up.view.js';

interface UpFlags {
  readonly datasets: boolean;
}

const EXIT_RUNS_ALREADY = 3;
const PARENT_CHECK_EVERY_MS = 1_000;

export function register(program: Command): void {
  program
    .command('up')
    .description('bring up everything on this machine: database, engine, API, relay, workers (npm start)')
    .option('--no-datasets', "do not load the demo's data")
    .action(action(up));
}

async function up(flags: UpFlags): Promise<void> {
  const { startStack, StackRunsAlready } = await import('../../../libs/embedded/stack.js');
  const { StackError } = await import('../../../libs/embedded/stack-error.js');
  const view = openUpView(openTerminal());
  const stopper = onceAsked();
  try {
    const starting = startStack({ loadDatasets: flags.datasets, onEvent: view.event, stop: stopper.signal });
    const stack = await starting;
    view.ready(stack.runFile, stack.runFilePath);
    stopper.onEach((count) => {
      view.stopping(count > 1);
      void stack.stop();
    });
    await stack.wait();
    view.stopped();
    process.exit(0); // nothing is left to wait for, whatever a handle somewhere believes
  } catch (error) {
    if (stopper.signal.aborted) {
      view.stopped();
      process.exit(0);
    }
    // A listener left on the channel would keep this process alive, and deaf to every signal.
    stopper.stopListening();
    if (error instanceof StackRunsAlready) throw new CommandError(error.message, EXIT_RUNS_ALREADY);
    if (error instanceof StackError) throw new CommandError(error.message);
    throw error;
  }
}

interface Stopper {
  /** Aborted at the first wish to stop. */
  readonly signal: AbortSignal;
  /** Called at each wish, with its number; at once if there was one already. */
  onEach(listener: (count: number) => void): void;
  stopListening(): void;
}

/** Ctrl-C, SIGTERM, a closed terminal, and the death of the process that handed over to us, or of the npm before it. */
function onceAsked(): Stopper {
  const controller = new AbortController();
  let asked = 0;
  let listener: ((count: number) => void) | undefined;
  const ask = countStopWishes((count) => {
    asked = count;
    controller.abort();
    listener?.(count);
  });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, ask);
  if (process.channel) process.on('disconnect', ask);
  else if (process.env.npm_lifecycle_event) onceParentDies(ask);
  return {
    signal: controller.signal,
    onEach(next) {
      listener = next;
      if (asked > 0) next(asked);
    },
    stopListening: () => [...signals, 'disconnect'].forEach((name) => process.off(name, ask)),
  };
}

/** npm that is killed (SIGKILL) tells nobody; a process that has lost its parent is given another. */
function onceParentDies(then: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    then();
  }, PARENT_CHECK_EVERY_MS);
  timer.unref();
}
