/** The door to attempts of every role, observed. */
import { CANCEL_CHILDREN } from '../children.js';
import type { AnyJobDefinition, Step } from '../define.js';
import type { Implementation } from '../implement.js';
import { type Request, type Verdict } from '../protocol.js';
import { attemptSettle } from './settle.attempt.js';
import { attemptStep } from './step.attempt.js';
import { attemptUndo } from './undo.attempt.js';
import type { AttemptEvent, Host, Kind, World } from './world.js';

/** Runs one attempt of whatever is asked for; never throws. */
export async function attempt(kind: Kind, request: Request, host: Host, world: World): Promise<Verdict> {
  const about = {
    jobId: request.job.id,
    kind: request.job.kind,
    role: request.role,
    step: request.step,
    item: request.item,
    generation: request.generation,
    attempt: request.before + host.attempt,
  };
  const startedAt = world.now();
  world.observe({ ...about, what: 'begin' });
  const verdict = await byRole(kind, request, host, world);
  world.observe({
    ...about,
    what: whatOf(request, verdict),
    ...(verdict.kind === 'failed' ? { code: verdict.failure.code } : {}),
    durationMs: world.now() - startedAt,
  });
  return verdict;
}

function byRole(kind: Kind, request: Request, host: Host, world: World): Promise<Verdict> {
  switch (request.role) {
    case 'step':
      return attemptStep(kind, request, host, world);
    case 'undo':
      return attemptUndo(kind, request, host, world);
    case 'settle':
      return attemptSettle(kind, request, host, world);
  }
}

function whatOf(request: Request, verdict: Verdict): AttemptEvent['what'] {
  return verdict.kind === 'done' && request.role === 'undo' && verdict.output === 'noop'
    ? 'noop'
    : verdict.kind;
}

/**
 * Joins a definition with its implementation. Throws, naming what is missing or called twice: the types say the
 * same, but a worker must not start on code that was not checked.
 */
export function joinKind<D extends AnyJobDefinition>(definition: D, implementation: Implementation<D>): Kind {
  const steps = Object.entries(definition.steps as Readonly<Record<string, Step>>);
  const { steps: functions, probes, ...given } = implementation as unknown as Kind;
  const undos = steps.some(([, { undo }]) => undo === CANCEL_CHILDREN)
    ? { ...given.undos, [CANCEL_CHILDREN]: async () => 'undone' as const }
    : given.undos;
  const missing = [
    ...steps
      .filter(([, { kind }]) => kind !== 'decision')
      .filter(([name]) => typeof functions[name] !== 'function')
      .map(([name]) => `step "${name}"`),
    ...steps.flatMap(([, { undo }]) => (undo && typeof undos[undo] !== 'function' ? [`undo "${undo}"`] : [])),
    ...steps.flatMap(([, { probe }]) =>
      probe && typeof probes[probe] !== 'function' ? [`probe "${probe}"`] : [],
    ),
  ];
  if (missing.length > 0) {
    throw new TypeError(
      `Kind "${definition.kind}" lacks ${missing.join(', ')}; implement it in the kind's activities`,
    );
  }
  const taken = new Set(steps.map(([name]) => name));
  for (const name of [...Object.keys(undos), ...Object.keys(probes)]) {
    if (taken.has(name)) {
      throw new TypeError(`Kind "${definition.kind}" calls two things "${name}"; rename the undo or probe`);
    }
    taken.add(name);
  }
  return { definition, steps: functions, undos, probes };
}
