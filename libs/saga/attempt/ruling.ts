/** A decision as the ledger hears it: with what the definition says of the step. */
import type { AnyJobDefinition, Step } from '../define.js';
import type { JobRef } from '../implement.js';
import type { RulingClaim } from '../ledger.js';
import type { RulingRequest } from '../protocol.js';

export function rulingClaimOf(
  definition: AnyJobDefinition,
  job: JobRef,
  request: RulingRequest,
): RulingClaim {
  const step = (definition.steps as Readonly<Record<string, Step>>)[request.step] as Step;
  return { ...request, job, stepKind: step.kind, effect: step.effect, undoName: step.undo };
}
