/** Which task queues no worker polls, so that a job that does not begin can say what it waits for. */
import { Injectable } from '@nestjs/common';
import { taskQueueOf, type AnyJobDefinition, type AnyStep } from '../../../libs/saga/define.js';
import { WORKFLOW_TASK_QUEUE } from '../../../libs/saga/temporal/engine.js';
import { ApiResources } from '../api.resources.js';
import type { TaskQueue } from './engine.js';

interface Answer {
  readonly isPolled: Promise<boolean>;
  readonly until: number;
}

const SERVES_MS = 5_000;

@Injectable()
export class QueuePolls {
  /** By the queue's name: as many as the kinds have. */
  private readonly answers = new Map<string, Answer>();

  constructor(private readonly resources: ApiResources) {}

  /** The names of those queues of a kind that nobody polls. Where the engine does not say, a queue counts as polled. */
  async unpolledOf(definition: AnyJobDefinition): Promise<string[]> {
    const queues = queuesOf(definition);
    const polled = await Promise.all(queues.map((queue) => this.isPolled(queue)));
    return queues.filter((_, index) => !polled[index]).map(({ name }) => name);
  }

  private isPolled(queue: TaskQueue): Promise<boolean> {
    const there = this.answers.get(queue.name);
    if (there && there.until > performance.now()) return there.isPolled;
    const isPolled = this.resources.engine.isPolled(queue).catch((error: unknown) => {
      this.resources.log.debug({ err: error, queue: queue.name }, 'the engine did not say who polls a queue');
      return true;
    });
    this.answers.set(queue.name, { isPolled, until: performance.now() + SERVES_MS });
    return isPolled;
  }
}

function queuesOf({ queue, steps }: AnyJobDefinition): TaskQueue[] {
  const pools = Object.values(steps as Readonly<Record<string, AnyStep>>).flatMap(({ kind, pool }) =>
    kind === 'decision' ? [] : [pool],
  );
  const names = [...new Set(pools)].map((pool) => taskQueueOf(queue, pool));
  return [
    { name: WORKFLOW_TASK_QUEUE, runs: 'workflows' },
    ...names.map((name): TaskQueue => ({ name, runs: 'activities' })),
  ];
}
