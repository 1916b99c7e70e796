/** Single steps of jobs that the API accepted, run as a worker does. */
import { inTenant } from '../../../libs/store/database.js';
import { createJobInputs } from '../../../libs/store/job-input.store.js';
import type { AnyJobDefinition, Steps } from '../../../libs/saga/define.js';
import type { TestApi } from './support.js';

type Work = (args: undefined, context: object) => Promise<unknown>;

/** A kind with its implementation. */
export interface Implemented {
  readonly definition: AnyJobDefinition;
  readonly implementation: object;
}

/** Runs a step or an undo of a job of acme's on the worker's role, that of an `own` effect in a transaction of the tenant. */
export async function runStep(
  t: TestApi,
  { definition, implementation }: Implemented,
  name: string,
  jobId: string,
): Promise<unknown> {
  const job = { id: jobId, tenantId: t.acme.id, kind: definition.kind };
  const context = {
    job,
    input: await createJobInputs(t.worker, t.cipher, (_, input) => input)(job),
    signal: new AbortController().signal,
    heartbeat: () => undefined,
    progress: () => undefined,
  };
  const { steps, undos } = implementation as Record<'steps' | 'undos', Record<string, Work> | undefined>;
  const work = { ...steps, ...undos }[name];
  if (!work) throw new TypeError(`${definition.kind} has neither step nor undo "${name}"`);
  const isOwn = Object.entries(definition.steps as Steps).some(
    ([step, { effect, undo }]) => (step === name || undo === name) && effect === 'own',
  );
  if (!isOwn) return work(undefined, context);
  return inTenant(t.worker, t.acme.id, (tx) => work(undefined, { ...context, tx }));
}
