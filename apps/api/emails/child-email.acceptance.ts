/**
 * What is asked of the e-mails that jobs of other kinds send: the same as of an `email.send`, with what is to come stood in
 * for. Their jobs keep the template's version and the sender, as its own do.
 */
import { v7 as uuidv7 } from 'uuid';
import { factsOfPayout, type PayoutFacts } from '../../../libs/emails/payout-facts.js';
import { findTemplate } from '../../../libs/emails/templates.store.js';
import { isArtifact, propertyOf, type VariablesSchema } from '../../../libs/emails/variables.js';
import { inTenant } from '../../../libs/store/database.js';
import type { EmailRequest, VariableValues } from '../../../workflows/email-message.js';
import type { PayoutNotice } from '../../../workflows/payout-batch.job.js';
import type { ReportEmail } from '../../../workflows/report-delivery.job.js';
import type { ApiResources } from '../api.resources.js';
import type { Completion } from '../jobs/completion.js';
import type { Prepared } from '../jobs/submission.js';
import { Problem } from '../problems/problem.js';
import { emailCompletion } from './email.acceptance.js';

/** Of a report's delivery: the link stands for itself. */
export function reportDeliveryCompletion(resources: ApiResources, tenantId: string): Completion {
  const judge = openJudge(resources, tenantId);
  return async (prepared) => {
    const input = prepared.input as { readonly email?: ReportEmail };
    if (!input.email) return prepared;
    const { link, ...email } = input.email;
    const kept = await judge(prepared, '/input/email', email, (variables) => {
      const variable = propertyOf(variables, link);
      if (variable && !isArtifact(variable)) throw noLink(link);
      return { [link]: uuidv7() };
    });
    return { ...prepared, stored: { ...input, email: { ...input.email, ...kept } } };
  };
}

function noLink(name: string): Problem {
  const detail = `Declare "${name}" with format "artifact" in the template.`;
  return new Problem('validation_failed', 'The e-mail would not have the link.', {
    errors: [{ pointer: '/input/email/link', detail }],
  });
}

const FACTS: PayoutFacts = {
  outcome: 'settled',
  ...{ batch: 'b', currency: 'EUR', items: 1 },
  ...{ paid: 1, refused: 0, released: 0, paidMinor: 1 },
};

/** Of a batch of payouts. */
export function payoutCompletion(resources: ApiResources, tenantId: string): Completion {
  const judge = openJudge(resources, tenantId);
  return async (prepared) => {
    const input = prepared.input as { readonly notify?: PayoutNotice };
    if (!input.notify) return prepared;
    const { email } = input.notify;
    const kept = await judge(prepared, '/input/notify/email', email, (variables) =>
      factsOfPayout(variables, FACTS),
    );
    return { ...prepared, stored: { ...input, notify: { email: { ...email, ...kept } } } };
  };
}

type Judge = (
  prepared: Prepared,
  at: string,
  email: Omit<EmailRequest, 'message'>,
  toCome: (variables: VariablesSchema) => VariableValues,
) => Promise<Pick<EmailRequest, 'templateVersion' | 'from'>>;

/** Answers what the job is to keep; throws a Problem in the terms of where the e-mail stands. */
function openJudge(resources: ApiResources, tenantId: string): Judge {
  const complete = emailCompletion(resources, tenantId);
  return async (prepared, at, { variables, ...email }, toCome) => {
    const template = await inTenant(resources.database, tenantId, (tx) =>
      findTemplate(tx, email.template, { version: email.templateVersion }),
    );
    const later = template ? toCome(template.variables) : {};
    const request = { ...email, message: 'to come', variables: { ...later, ...variables } };
    const { stored } = await complete({ ...prepared, input: request satisfies EmailRequest }).catch(
      (error: unknown) => {
        throw error instanceof Problem ? placed(error, at) : error;
      },
    );
    const { templateVersion, from } = stored as EmailRequest;
    return { templateVersion, from };
  };
}

function placed({ code, detail, errors, cause }: Problem, at: string): Problem {
  return new Problem(code, detail, {
    cause,
    ...(errors
      ? {
          errors: errors.map(({ pointer, ...rest }) => ({
            ...rest,
            pointer: pointer.replace(/^\/input/, at),
          })),
        }
      : {}),
  });
}
