/**
 * Encrypts every payload that goes to Temporal (arguments, results, heartbeats, summaries, memo, failure details)
 * with the data key of the tenant whose job the workflow runs.
 *
 * An encrypted payload carries, in plain, its key's id and its job's id (which is the workflow's id anyway), so
 * that the codec server can open it without being told more.
 */
import proto from '@temporalio/proto';
import type { Payload, PayloadCodec, SerializationContext } from '@temporalio/common';
import { keyIdOf, type TenantCipher } from '../security/tenant-cipher.js';
import { CipherError } from '../security/cipher.error.js';
import type { JobTenants } from './job-tenants.store.js';
import { jobIdOfWorkflow } from './workflow-id.js';

export const ENCRYPTED_ENCODING = 'binary/encrypted';
export const KEY_ID_METADATA = 'encryption-key-id';
export const JOB_ID_METADATA = 'longhaul-job';

const PayloadMessage = proto.temporal.api.common.v1.Payload;

/** A payload that belongs to no job: it is refused rather than sent in plain. */
export class PayloadWithoutJob extends Error {
  readonly code = 'payload_without_job';
  constructor(workflowId: string | undefined) {
    super(
      workflowId === undefined
        ? 'A payload came without the workflow it belongs to; nothing is sent to Temporal in plain.'
        : `Workflow "${workflowId}" is no job's; its id must be the job's id.`,
    );
    this.name = 'PayloadWithoutJob';
  }
}

/** Seals and opens single payloads of a job. */
export interface PayloadSealer {
  seal(payload: Payload, jobId: string): Promise<Payload>;
  /** Opens a sealed payload; `jobId`, where known, must be the one it was sealed for. Plain ones come back as they are. */
  open(payload: Payload, jobId?: string): Promise<Payload>;
}

const KEYS_MAX = 1_000;

export function createPayloadSealer(cipher: TenantCipher, tenants: JobTenants): PayloadSealer {
  /** By the id of a data key that has opened something: whoever opens a job's payload need not look up whose it is. */
  const owners = new Map<string, string>();
  const own = (keyId: string, tenantId: string): void => {
    if (owners.size >= KEYS_MAX && !owners.has(keyId)) owners.clear();
    owners.set(keyId, tenantId);
  };
  return {
    seal: async (payload, jobId) => {
      const tenantId = await tenants.of(jobId);
      const plain = PayloadMessage.encode(payload).finish();
      const sealed = await cipher.encrypt(tenantId, plain, aadOf(tenantId, jobId));
      return {
        metadata: {
          encoding: Buffer.from(ENCRYPTED_ENCODING),
          [KEY_ID_METADATA]: Buffer.from(keyIdOf(sealed)),
          [JOB_ID_METADATA]: Buffer.from(jobId),
        },
        data: sealed,
      };
    },
    open: async (payload, jobId) => {
      if (!isSealed(payload)) return payload;
      const named = textOf(payload.metadata?.[JOB_ID_METADATA]);
      if (jobIdOfWorkflow(named) !== named || (jobId !== undefined && jobId !== named)) {
        throw new CipherError(
          'sealed_invalid',
          `A payload of job ${jobId ?? '?'} says it belongs to "${named}".`,
        );
      }
      const sealed = payload.data ?? new Uint8Array();
      const keyId = keyIdOf(sealed);
      const tenantId = owners.get(keyId) ?? (await tenants.of(named));
      const plain = await cipher.decrypt(tenantId, sealed, aadOf(tenantId, named));
      // What opens under this tenant, key and job was sealed for them.
      own(keyId, tenantId);
      tenants.remember(named, tenantId);
      const { metadata, data } = PayloadMessage.decode(plain);
      return { metadata, data };
    },
  };
}

/** The codec of every client and worker. */
export function createPayloadCodec(sealer: PayloadSealer): PayloadCodec {
  return {
    encode: async (payloads, context) => {
      const workflowId = workflowIdOf(context);
      const jobId = workflowId === undefined ? undefined : jobIdOfWorkflow(workflowId);
      if (payloads.length > 0 && jobId === undefined) throw new PayloadWithoutJob(workflowId);
      return Promise.all(payloads.map((payload) => sealer.seal(payload, jobId as string)));
    },
    decode: async (payloads, context) => {
      const workflowId = workflowIdOf(context);
      const jobId = workflowId === undefined ? undefined : jobIdOfWorkflow(workflowId);
      return Promise.all(payloads.map((payload) => sealer.open(payload, jobId)));
    },
  };
}

export function isSealed(payload: Payload): boolean {
  return textOf(payload.metadata?.['encoding']) === ENCRYPTED_ENCODING;
}

function aadOf(tenantId: string, jobId: string): string {
  return `${tenantId}/${jobId}/payload`;
}

function workflowIdOf(context: SerializationContext | undefined): string | undefined {
  return context?.workflowId;
}

function textOf(bytes: Uint8Array | null | undefined): string {
  return bytes ? Buffer.from(bytes).toString() : '';
}
