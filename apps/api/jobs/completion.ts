/** What only the database can say of an input, by kind: checks, and what the job is to keep of how things are now. */
import type { ApiResources } from '../api.resources.js';
import { emailCompletion } from '../emails/email.acceptance.js';
import { payoutCompletion, reportDeliveryCompletion } from '../emails/child-email.acceptance.js';
import { refuseUnknownReferences } from './stored-references.js';
import type { Prepared } from './submission.js';

/** The submission with what the job keeps; throws Problem with every error. */
export type Completion = (prepared: Prepared) => Promise<Prepared>;

/** Completes the submissions of one request: what they have in common is looked up once. */
export function openCompletion(resources: ApiResources, tenantId: string): Completion {
  const completions: Readonly<Record<string, Completion>> = {
    'email.send': emailCompletion(resources, tenantId),
    'report.delivery': reportDeliveryCompletion(resources, tenantId),
    'payout.batch': payoutCompletion(resources, tenantId),
  };
  return async (prepared) => {
    const { kind } = prepared.definition;
    const complete = Object.hasOwn(completions, kind) ? completions[kind] : undefined;
    const completed = complete ? await complete(prepared) : prepared;
    await refuseUnknownReferences(resources.database, tenantId, completed);
    return completed;
  };
}
