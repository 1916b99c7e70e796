/** Does a request's work in the way its fault says. */
import { setTimeout as sleep } from 'node:timers/promises';
import { json, refusal, type Answer, type JsonAnswer } from './answer.js';
import type { FaultMode, FaultPlan } from './fault-plan.schema.js';

const broken = (): JsonAnswer => refusal(500, 'internal_error', 'Something went wrong.');

/** `work` is synchronous and commits before it returns. `stopped` ends the waiting when the server closes. */
export async function underFault(
  mode: FaultMode | undefined,
  plan: FaultPlan,
  work: () => JsonAnswer,
  stopped: AbortSignal,
): Promise<Answer> {
  switch (mode) {
    case undefined:
      return work();
    case 'slow':
      await sleep(plan.slowMs, undefined, { signal: stopped });
      return work();
    case 'error_before':
      return broken();
    case 'error_after':
      work();
      return broken();
    case 'drop_before':
      return { kind: 'drop' };
    case 'drop_after':
      work();
      return { kind: 'drop' };
    case 'cut_after':
      return { ...work(), isCut: true };
    case 'too_many':
      return refusal(429, 'too_many_requests', 'Slow down.', {
        'retry-after': String(plan.retryAfterSeconds),
      });
    case 'reject':
      return json(422, { error: { code: 'rejected_by_policy', message: 'The provider will not do this.' } });
    case 'hang_before':
      return { kind: 'hang' };
    case 'hang_after':
      work();
      return { kind: 'hang' };
  }
}
