/** `longhaul demo`: the main job on real data, from the POST to a verified file; then the other kinds. */
import type { Command } from 'commander';
import type { StackEvent } from '../../../libs/embedded/stack.js';
import { StackError } from '../../../libs/embedded/stack-error.js';
import { action, CommandError } from '../command.error.js';
import { parseRows, runDemo } from '../demo.run.js';
import { attachedStack, lastingStack, type StackUnderDemo } from '../demo.stack.js';
import { formatDuration } from '../figures.view.js';
import { countStopWishes } from '../stop-wish.counter.js';
import { openStatusLine, openTerminal, type StatusLine, type Terminal } from '../terminal.js';

interface DemoFlags {
  readonly rows?: string;
  readonly keep?: true;
  readonly exportOnly?: true;
}

const EXIT_INTERRUPTED = 130;

export function register(program: Command): void {
  program
    .command('demo')
    .description(
      'export three million real flights and verify the file; then e-mail, events, an invoice, pictures and a payout',
    )
    .option('--rows <count>', 'only so many of the flights')
    .option('--export-only', 'end after the export')
    .option('--keep', 'leave the stack running afterwards')
    .action(action(demo));
}

async function demo(flags: DemoFlags): Promise<void> {
  const rows = flags.rows === undefined ? undefined : parseRows(flags.rows);
  const terminal = openTerminal();
  const interrupt = listenForInterrupt();
  const keep = flags.keep === true;
  let stack: StackUnderDemo | undefined;
  let jobId: string | undefined;
  let isExported = false;
  try {
    stack = await openStack(keep, terminal, interrupt.signal);
    interrupt.signal.throwIfAborted();
    const holds = await runDemo(stack.run, {
      rows,
      lasts: keep || stack.joined,
      terminal,
      signal: interrupt.signal,
      exportOnly: flags.exportOnly === true,
      onSubmitted: (job) => (jobId = job.id),
      onExported: () => (isExported = true),
    });
    if (keep && !stack.joined) {
      terminal.print(
        `\nThe stack goes on in the background. Stop it: kill -INT ${stack.run.pids.supervisor}`,
      );
    }
    if (!holds) throw new CommandError('\nThe demo failed: what is marked ✗ is wrong.');
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    terminal.print('\nInterrupted.');
    throw new CommandError(afterInterrupt(stack, jobId, isExported), EXIT_INTERRUPTED);
  } finally {
    if (!keep || interrupt.signal.aborted) await stopStack(stack, terminal);
    interrupt.stopListening();
  }
}

async function openStack(keep: boolean, terminal: Terminal, signal: AbortSignal): Promise<StackUnderDemo> {
  const startedAt = performance.now();
  const line = openStatusLine(terminal);
  line.update(
    'Starting PostgreSQL, Temporal, API, relay and workers …',
    'Starting PostgreSQL, Temporal, API, relay and workers',
  );
  try {
    const stack = keep
      ? await lastingStack(signal)
      : await attachedStack(signal, (event) => show(event, line, terminal));
    const took = stack.joined
      ? 'was running already'
      : `is up after ${formatDuration(performance.now() - startedAt)}`;
    line.end(`Longhaul ${took}: ${stack.run.api}`);
    return stack;
  } catch (error) {
    line.end();
    throw error instanceof StackError ? new CommandError(error.message) : error;
  }
}

function show(event: StackEvent, line: StatusLine, terminal: Terminal): void {
  if (event.type === 'note') terminal.print(event.text);
  if (event.type === 'died') terminal.print(`${event.name} ${event.how}; starting it again`);
  if (event.type === 'ready' && event.first && terminal.live)
    line.update(`Starting: ${event.name} is ready …`, '');
}

async function stopStack(stack: StackUnderDemo | undefined, terminal: Terminal): Promise<void> {
  if (!stack || stack.joined) return;
  const line = openStatusLine(terminal);
  line.update('Stopping the stack …', 'Stopping the stack');
  await stack.stop();
  line.end('The stack has stopped; what it did is kept.');
}

function afterInterrupt(
  stack: StackUnderDemo | undefined,
  jobId: string | undefined,
  isExported: boolean,
): string {
  if (jobId === undefined) return 'Nothing had been asked for yet.';
  if (isExported) return 'The export had ended, and its file is kept.';
  if (stack?.joined) return `The export goes on: ./longhaul watch ${jobId}`;
  return `The export is not lost: it goes on at the next \`npm start\`. Then: ./longhaul watch ${jobId}`;
}

/** The first Ctrl-C ends things in order, the second at once. */
function listenForInterrupt(): { signal: AbortSignal; stopListening(): void } {
  const controller = new AbortController();
  const onSignal = countStopWishes((count) => {
    if (count > 1) process.exit(EXIT_INTERRUPTED);
    controller.abort(new CommandError('Interrupted.', EXIT_INTERRUPTED));
  });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  signals.forEach((name) => process.on(name, onSignal));
  // The process that handed over to the project's own Node has died.
  if (process.channel) process.once('disconnect', onSignal);
  return {
    signal: controller.signal,
    // A listener left on the channel would keep this process alive.
    stopListening: () => [...signals, 'disconnect'].forEach((name) => process.off(name, onSignal)),
  };
}
