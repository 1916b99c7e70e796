/** `longhaul worker --queues a,b`: a worker process for the task queues named. */
import { InvalidArgumentError, type Command } from 'commander';
import { runProcess } from '../process.action.js';

export function register(program: Command): void {
  program
    .command('worker')
    .description('run a worker (settings from the environment, else of the stack that runs here)')
    .requiredOption('--queues <names>', 'task queues, e.g. reports-cpu,reports-io', parseQueues)
    .action(({ queues }: { queues: string[] }) =>
      runProcess(async () => (await import('../../worker/main.js')).run({ queues })),
    );
}

function parseQueues(value: string): string[] {
  const queues = [...new Set(value.split(',').map((name) => name.trim()))];
  if (queues.some((name) => !/^[a-z][a-z0-9-]*$/.test(name))) {
    throw new InvalidArgumentError('Expected names of task queues, separated by commas.');
  }
  return queues;
}
