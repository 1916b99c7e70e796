/** Binds kinds' implementations, and the engine's bookkeeping, to Temporal activities. For Node, not the sandbox. */
import { Context } from '@temporalio/activity';
import { attempt, joinKind } from '../attempt/attempt.js';
import { rulingClaimOf } from '../attempt/ruling.js';
import type { Kind, World } from '../attempt/world.js';
import { activityNameOf, type AnyJobDefinition, type AnyStep, type Pool } from '../define.js';
import type { Implementation } from '../implement.js';
import type { Request } from '../protocol.js';
import { hostAttempt } from './activity-host.js';
import {
  FINISH_ACTIVITY,
  PARK_ACTIVITY,
  RECALL_ACTIVITY,
  RULE_ACTIVITY,
  SETTLE_ACTIVITY,
  UNPARK_ACTIVITY,
  type EngineActivities,
} from './engine.js';

export type { Kind, World } from '../attempt/world.js';

export type BoundActivities = Readonly<Record<string, (request: Request) => Promise<unknown>>>;

/**
 * The activities of a kind: its steps, undos and probes, of one pool or of all. Throws, naming what is missing, when
 * the implementation is not complete.
 */
export function bindActivities<D extends AnyJobDefinition>(
  definition: D,
  implementation: Implementation<D>,
  world: World,
  pool?: Pool,
): BoundActivities {
  const kind = joinKind(definition, implementation);
  const names = namesIn(definition, pool).map((name) => activityNameOf(definition, name));
  const run = (request: Request) =>
    hostAttempt((host) => attempt(kind, request, host, world), {
      // Once its attempt has begun, a pivot waits for its outcome; behind it nothing is cancelled (S7).
      hearsCancel: request.role !== 'step' || !isDeaf(definition, request.step),
    });
  return Object.fromEntries(names.map((name) => [name, run]));
}

function isDeaf({ steps }: AnyJobDefinition, name: string): boolean {
  const { kind } = (steps as Readonly<Record<string, AnyStep>>)[name] as AnyStep;
  return kind === 'pivot' || kind === 'retriable';
}

function namesIn(definition: AnyJobDefinition, pool: Pool | undefined): string[] {
  const steps = Object.entries(definition.steps as Readonly<Record<string, AnyStep>>);
  const names = steps
    .filter(([, step]) => step.kind !== 'decision' && (pool === undefined || step.pool === pool))
    .flatMap(([name, { undo, probe }]) => [name, undo as string | undefined, probe as string | undefined]);
  return [...new Set(names.filter((name) => name !== undefined))];
}

/** The engine's own activities, hosted beside the workflows. */
export function engineActivities(definitions: readonly AnyJobDefinition[], world: World): EngineActivities {
  const kinds = new Map(
    definitions.map((definition): [string, Kind] => [
      definition.kind,
      { definition, steps: {}, undos: {}, probes: {} },
    ]),
  );
  const kindOf = (name: string): Kind => {
    const kind = kinds.get(name);
    if (!kind) throw new TypeError(`No kind "${name}" is known here; deploy its definition`);
    return kind;
  };
  return {
    async [FINISH_ACTIVITY]({ job, end }) {
      await world.ledger.finish(job, end);
      // So that the run ends as cancelled in Temporal too, whichever way the wish came.
      if (end.status === 'CANCELLED') await cancelOwnRun();
    },
    [RECALL_ACTIVITY]: ({ job, recall }) => world.ledger.recall(job, recall),
    [PARK_ACTIVITY]: ({ job, letter }) => world.ledger.park(job, letter),
    [UNPARK_ACTIVITY]: ({ job, unparking }) => world.ledger.unpark(job, unparking),
    async [RULE_ACTIVITY]({ job, ruling }) {
      return world.ledger.rule(rulingClaimOf(kindOf(job.kind).definition, job, ruling));
    },
    async [SETTLE_ACTIVITY](request) {
      const kind = kindOf(request.job.kind);
      return hostAttempt((host) => attempt(kind, request, host, world), { hearsCancel: true });
    },
  };
}

async function cancelOwnRun(): Promise<void> {
  const { client, info } = Context.current();
  const { workflowId, runId } = info.workflowExecution ?? {};
  if (workflowId === undefined) return;
  await client.workflow.getHandle(workflowId, runId).cancel();
}
