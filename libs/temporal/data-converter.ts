/** The data converter of every Temporal client and worker: everything encrypted, failures included. */
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DataConverter } from '@temporalio/common';
import type { TenantCipher } from '../security/tenant-cipher.js';
import type { Database } from '../store/database.js';
import { createJobTenants, type JobTenants } from './job-tenants.store.js';
import { createPayloadCodec, createPayloadSealer, type PayloadSealer } from './payload.codec.js';

/** For `bundleWorkflowCode({ failureConverterPath })`: a prebuilt bundle must carry the same failure converter. */
export const failureConverterPath = fileURLToPath(
  new URL(`./failure-converter${extname(import.meta.url)}`, import.meta.url),
);

/** What a process needs to encrypt: the tenants' keys, and a database (any role) to find a job's tenant in. */
export interface Secrets {
  readonly cipher: TenantCipher;
  readonly database: Database;
}

export interface SecureDataConverter {
  readonly dataConverter: DataConverter;
  readonly tenants: JobTenants;
  /** For the codec server. */
  readonly sealer: PayloadSealer;
}

export function createDataConverter(secrets: Secrets): SecureDataConverter {
  const tenants = createJobTenants(secrets.database);
  const sealer = createPayloadSealer(secrets.cipher, tenants);
  return {
    dataConverter: { payloadCodecs: [createPayloadCodec(sealer)], failureConverterPath },
    tenants,
    sealer,
  };
}
