/** What is asked of the e-mail of a `report.delivery`: the same as of an `email.send`, with a link that is to come. */
import { v7 as uuidv7 } from 'uuid';
import type { EmailRequest } from '../../../workflows/email-message.js';
import type { ReportEmail } from '../../../workflows/report-delivery.job.js';
import type { ApiResources } from '../api.resources.js';
import type { Completion } from '../jobs/completion.js';
import { Problem } from '../problems/problem.js';
import { emailCompletion } from './email.acceptance.js';

export function reportDeliveryCompletion(resources: ApiResources, tenantId: string): Completion {
  const complete = emailCompletion(resources, tenantId);
  return async (prepared) => {
    const input = prepared.input as { readonly email?: ReportEmail };
    if (!input.email) return prepared;
    const { link, variables, ...email } = input.email;
    const request = { ...email, message: 'report', variables: { ...variables, [link]: uuidv7() } };
    const { stored } = await complete({ ...prepared, input: request satisfies EmailRequest }).catch(inEmail);
    const { templateVersion, from } = stored as EmailRequest;
    return { ...prepared, stored: { ...input, email: { ...input.email, templateVersion, from } } };
  };
}

/** A refusal in the terms of the delivery. */
function inEmail(error: unknown): never {
  if (!(error instanceof Problem) || !error.errors) throw error;
  const errors = error.errors.map(({ pointer, detail }) => ({
    pointer: pointer.replace(/^\/input/, '/input/email'),
    detail,
  }));
  throw new Problem(error.code, error.detail, { errors });
}
