/** Gathers the evidence and has it judged: by the audit of all jobs, and by each kind's own. */
import type { Client } from '../../libs/client/client.js';
import type { Job } from '../../libs/client/job.types.js';
import type { Database } from '../../libs/store/database.js';
import { audit } from './audit.js';
import type { EngineWitness } from './evidence.engine.js';
import type { Evidence } from './evidence.js';
import { endedJobsOf, gather } from './gather.js';
import type { ChaosKind } from './kinds/kind.js';
import type { StackUnderChaos } from './stack.js';
import type { Violation } from './violation.js';

export interface Judgement {
  readonly violations: Violation[];
  /** How many jobs ended with which error, by kind and code. */
  readonly errors: Readonly<Record<string, number>>;
  /** What each kind's own audit looked at. */
  readonly facts: Readonly<Record<string, string>>;
}

export interface Court {
  readonly database: Database;
  readonly engine: EngineWitness;
  readonly stack: StackUnderChaos;
  readonly kinds: readonly ChaosKind[];
  readonly clientOf: (tenant: string) => Client;
}

/** Everything that was not kept, as of now. */
export async function judge(
  { database, engine, stack, kinds, clientOf }: Court,
  known: Pick<Evidence, 'asked' | 'seenEnds'>,
): Promise<Judgement> {
  const children = kinds.flatMap((kind) => kind.children ?? []);
  const witnesses = { database, engine, artifacts: stack.home.artifacts, clientOf };
  const evidence = await gather(witnesses, { ...known, children });
  const violations = audit(evidence);
  const facts: Record<string, string> = {};
  for (const kind of kinds) {
    const found = await kind.audit(endedJobsOf(kind.kind, evidence, clientOf), stack);
    violations.push(...found.violations);
    facts[kind.kind] = found.facts;
  }
  return { violations, facts, errors: countErrors(evidence.shown.values()) };
}

function countErrors(jobs: Iterable<Job>): Record<string, number> {
  const errors: Record<string, number> = {};
  for (const { kind, error } of jobs) {
    if (error === null) continue;
    const name = `${kind} ${error.code}${error.step ? ` in ${error.step}` : ''}`;
    errors[name] = (errors[name] ?? 0) + 1;
  }
  return errors;
}
