/** What a worker process hosts on each of the task queues it is told, and what it refuses to boot on. */
import type { AnyJobDefinition, Pool, Steps } from '../../libs/saga/define.js';
import { joinKind } from '../../libs/saga/attempt/attempt.js';
import type { Implementation } from '../../libs/saga/implement.js';
import { WORKFLOW_TASK_QUEUE } from '../../libs/saga/temporal/engine.js';

export type QueuePlan =
  | { readonly queue: string; readonly hosts: 'workflows' }
  | {
      readonly queue: string;
      readonly hosts: 'activities';
      readonly pool: Pool;
      readonly definitions: readonly AnyJobDefinition[];
    };

const POOLS: readonly Pool[] = ['cpu', 'io', 'keeper'];

/** Throws an Error that names what is wrong with the queues asked for, and which there are. */
export function planQueues(queues: readonly string[], definitions: readonly AnyJobDefinition[]): QueuePlan[] {
  const known = new Map<string, QueuePlan>();
  known.set(WORKFLOW_TASK_QUEUE, { queue: WORKFLOW_TASK_QUEUE, hosts: 'workflows' });
  for (const pool of POOLS) {
    for (const concern of new Set(definitions.map((definition) => definition.queue))) {
      const there = definitions.filter(
        (definition) => definition.queue === concern && usesPool(definition, pool),
      );
      const queue = `${concern}-${pool}`;
      if (there.length > 0) known.set(queue, { queue, hosts: 'activities', pool, definitions: there });
    }
  }
  if (queues.length === 0) throw new Error(`Name at least one task queue: ${[...known.keys()].join(', ')}`);
  return queues.map((queue) => {
    const plan = known.get(queue);
    if (!plan)
      throw new Error(`No kind uses the task queue "${queue}"; there are ${[...known.keys()].join(', ')}`);
    return plan;
  });
}

function usesPool(definition: AnyJobDefinition, pool: Pool): boolean {
  const steps = Object.values(definition.steps as Steps);
  return steps.some((step) => step.pool === pool);
}

/** Throws where two kinds share a name, or a kind lacks (a part of) its implementation, and says how to mend it. */
export function checkKinds(
  definitions: readonly AnyJobDefinition[],
  implementations: ReadonlyMap<string, Implementation<AnyJobDefinition>>,
): void {
  refuseDuplicates(definitions, 'kind');
  refuseDuplicates(definitions, 'workflowType');
  for (const definition of definitions) {
    const implementation = implementations.get(definition.kind);
    if (!implementation) {
      throw new Error(
        `Kind "${definition.kind}" has no activities; add its line to createActivities in activities/index.ts`,
      );
    }
    joinKind(definition, implementation);
    refuseUnknownChildren(definition, definitions);
  }
  for (const kind of implementations.keys()) {
    if (!definitions.some((definition) => definition.kind === kind)) {
      throw new Error(
        `Activities are given for "${kind}", which no definition names; add it to workflows/index.ts`,
      );
    }
  }
}

function refuseUnknownChildren(
  { kind, steps }: AnyJobDefinition,
  definitions: readonly AnyJobDefinition[],
): void {
  for (const [name, { children }] of Object.entries(steps as Steps)) {
    if (!children || definitions.includes(children.of)) continue;
    throw new Error(
      `Step "${name}" of kind "${kind}" starts jobs of "${children.of.kind}", which nobody would run; add that kind to workflows/index.ts`,
    );
  }
}

function refuseDuplicates(definitions: readonly AnyJobDefinition[], by: 'kind' | 'workflowType'): void {
  const seen = new Map<string, string>();
  for (const definition of definitions) {
    const name = definition[by];
    const other = seen.get(name);
    if (other !== undefined) {
      throw new Error(
        `Two kinds share the ${by} "${name}" (${other}, ${definition.kind}); rename one of them`,
      );
    }
    seen.set(name, definition.kind);
  }
}
