/** Makes the dead letter that operators see of what is stored. Pure. */
import { isElsewhere, type AnyJobDefinition, type Step } from '../../../libs/saga/define.js';
import { outputSchemaOf } from '../../../libs/saga/describe.js';
import { effectKeyOf, itemOf } from '../../../libs/saga/protocol.js';
import type { DeadLetterRecord, DecisionRecord } from '../../../libs/store/dead-letters.store.js';
import { linksOf, type LinkContext } from '../jobs/job.view.js';
import type { DeadLetter } from './dead-letter.schema.js';

/** What stands with a refused decision where no words of the saga's do, told to people. */
const REFUSALS: Readonly<Record<string, string>> = {
  park_over: 'The park ended before the decision reached it: its time was over, or the job went back.',
  job_ended: 'The job ended before the decision reached it.',
  in_flight:
    'The ledger refused it: an attempt that has not reported may still act. Decide anew when it is over.',
  in_doubt: 'The ledger refused it: nobody can tell whether the effect happened under the arguments it had.',
  fenced: 'The ledger refused it: the effect is undone or given up already.',
  happened: 'It proved to have happened: the job goes on with what is on record.',
  not_happened:
    'It proved not to have happened, by the provider’s word, before yours was taken. Decide anew; a second `resolve` is believed.',
};

const TRACE_PARENT = /^00-([0-9a-f]{32})-/;

/** The step a dead letter is about; undefined where this release does not know it. */
export function stepOf(letter: DeadLetterRecord, definition: AnyJobDefinition | undefined): Step | undefined {
  return (definition?.steps as Readonly<Record<string, Step>> | undefined)?.[letter.step];
}

/** Whether a decision is awaited: the park is not over, and none stands. */
export function isUndecided({ closedAt, decision }: DeadLetterRecord): boolean {
  return closedAt === null && (decision === null || decision.outcome === 'refused');
}

export function viewOf(
  letter: DeadLetterRecord,
  definition: AnyJobDefinition | undefined,
  context: LinkContext,
): DeadLetter {
  const step = stepOf(letter, definition);
  const self = `${context.publicUrl}/dead-letters/${letter.id}`;
  const job = linksOf(letter.jobId, context);
  return {
    id: letter.id,
    status: letter.closedAt === null ? 'open' : 'closed',
    tenant: { id: letter.tenantId, name: letter.tenant },
    jobId: letter.jobId,
    kind: letter.kind,
    key: letter.key,
    jobStatus: letter.status,
    step: letter.step,
    ...(letter.item === null ? {} : { item: letter.item }),
    stepKind: step?.kind ?? null,
    effect: step?.effect ?? null,
    summary: step?.summary ?? null,
    park: letter.park,
    undo: letter.undo,
    doubt: letter.doubt,
    attempts: letter.attempts,
    firstError: letter.firstError as DeadLetter['firstError'],
    lastError: letter.lastError as DeadLetter['lastError'],
    traceId: TRACE_PARENT.exec(letter.traceParent ?? '')?.[1] ?? null,
    possible: isUndecided(letter) ? [...letter.possible] : [],
    correctable: isUndecided(letter) && letter.correctable,
    ...(letter.args === null ? {} : { args: letter.args }),
    ...(step && isElsewhere(step.effect) ? { effectKey: keyOf(letter) } : {}),
    ...(step && isUndecided(letter) && letter.possible.includes('resolve')
      ? { answer: outputSchemaOf(step) }
      : {}),
    waitingSince: letter.createdAt.toISOString(),
    ...(letter.until ? { until: letter.until.toISOString() } : {}),
    ...(letter.actingUntil && letter.closedAt === null
      ? { actingUntil: letter.actingUntil.toISOString() }
      : {}),
    ...(letter.closedAt ? { closedAt: letter.closedAt.toISOString() } : {}),
    decision: letter.decision && decisionViewOf(letter.decision),
    links: {
      self,
      decisions: `${self}/decisions`,
      job: job.self,
      ...(job.temporal === undefined ? {} : { temporal: job.temporal }),
    },
  };
}

function keyOf({ jobId, step, item, generation }: DeadLetterRecord): string {
  return effectKeyOf(jobId, { step, ...itemOf({ item: item ?? undefined }), generation });
}

function decisionViewOf(record: DecisionRecord): NonNullable<DeadLetter['decision']> {
  const { id, decision, reason, input, output, decidedBy, outcome, refusal } = record;
  return {
    ...{ id, decision, reason, decidedBy, outcome },
    ...(input === null ? {} : { input }),
    ...(output === null ? {} : { output }),
    decidedAt: new Date(record.decidedAt).toISOString(),
    ...(refusal === null ? {} : { refusal: REFUSALS[refusal] ?? refusal }),
    ...(record.settledAt === null ? {} : { settledAt: new Date(record.settledAt).toISOString() }),
  };
}
