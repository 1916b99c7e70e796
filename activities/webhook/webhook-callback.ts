/** The side effects of `webhook.callback`. */
import { Buffer } from 'node:buffer';
import { v7 as uuidv7 } from 'uuid';
import { Denied } from '../../libs/saga/failure.js';
import type { Implementation, JobRef } from '../../libs/saga/implement.js';
import { inTenant } from '../../libs/store/database.js';
import { keepFirstSecret } from '../../libs/webhooks/callback-secrets.store.js';
import { payloadOf } from '../../workflows/webhook-event.js';
import type { webhookCallback as definition } from '../../workflows/webhook-callback.job.js';
import type { WebhookResources } from '../resources.js';
import { enrollCallback, readEnd, type JobEnd } from './callbacks.store.js';
import { deliverAll } from './delivering.js';
import { withdraw } from './deliveries.store.js';

export function webhookCallback(resources: WebhookResources): Implementation<typeof definition> {
  const { database, webhooks } = resources;

  /** An end never changes: the same bytes on every attempt. */
  async function payloadFor({ tenantId }: JobRef, told: string): Promise<Uint8Array> {
    const end = await inTenant(database, tenantId, (tx) => readEnd(tx, told));
    if (!end) throw new Denied('job_unknown', `There is no job ${told} that has ended.`);
    return Buffer.from(bodyOf(end, webhooks.publicUrl));
  }

  return {
    steps: {
      async enroll(_, { tx, input, job }) {
        // A tenant that never asked for one has a secret from its first callback on, and nobody has seen it.
        await keepFirstSecret(tx, job.tenantId, webhooks.sealSecret);
        await enrollCallback(tx, { jobId: job.id, endpointId: uuidv7(), url: input.url });
      },
      deliver(_, context) {
        let payload: Promise<Uint8Array> | undefined;
        const { job, input } = context;
        return deliverAll(resources, context, {
          step: 'deliver',
          carries: 'its own event',
          payloads: () => (payload ??= payloadFor(job, input.job)),
          tellsOwners: false,
        });
      },
    },
    undos: { withdraw: (_, { tx, job }) => withdraw(tx, job.id) },
    probes: {},
  };
}

/** What is told: enough to know the job by, and where the rest is; nothing of input or result. */
export function bodyOf(end: JobEnd, publicUrl: string): string {
  const { id, kind, key, status, createdAt, startedAt, endedAt, error } = end;
  const self = `${publicUrl}/jobs/${id}`;
  const data = {
    ...{ id, kind, key, status },
    createdAt: createdAt.toISOString(),
    startedAt: startedAt?.toISOString() ?? null,
    finishedAt: endedAt.toISOString(),
    error: error && { code: error.code, title: error.title ?? null, step: error.step ?? null },
    links: { self, result: `${self}/result` },
  };
  return payloadOf({ type: `job.${status.toLowerCase()}`, data }, endedAt);
}
