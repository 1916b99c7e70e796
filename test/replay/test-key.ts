/** What stored histories are sealed with: the product's own cipher and codec, under a key that never changes. */
import type { PayloadCodec } from '@temporalio/common';
import { masterKeyIdOf, wrapKey } from '../../libs/security/master-key.js';
import { createTenantCipher } from '../../libs/security/tenant-cipher.js';
import type { Database } from '../../libs/store/database.js';
import { createPayloadCodec, createPayloadSealer } from '../../libs/temporal/payload.codec.js';

/** Whose every recorded job is. */
export const TENANT = '00000000-0000-7000-8000-00000000aaaa';
const KEY_ID = '00000000-0000-7000-8000-00000000bbbb';
const MASTER_KEY = Buffer.alloc(32, 'stored histories: master');
const DATA_KEY = Buffer.alloc(32, 'stored histories: tenant');

/** Seals everything of a job, and opens what was sealed in any release. No database: there is one key. */
export function testCodec(): PayloadCodec {
  const wrapped = wrapKey(MASTER_KEY, DATA_KEY, TENANT, KEY_ID);
  const rows = [{ id: KEY_ID, wrapped, master_key_id: masterKeyIdOf(MASTER_KEY) }];
  const connection = { query: async () => ({ rows }), release: () => undefined };
  const database = { connect: async () => connection } as unknown as Database;
  const tenants = { of: async () => TENANT, remember: () => undefined };
  return createPayloadCodec(createPayloadSealer(createTenantCipher(database, MASTER_KEY), tenants));
}

/** Leaves plain what belongs to jobs that are not `isSealed`, so that a person can read their histories. */
export function sealOnly(codec: PayloadCodec, isSealed: (workflowId: string) => boolean): PayloadCodec {
  return {
    encode: async (payloads, context) =>
      isSealed(context?.workflowId ?? '') ? codec.encode(payloads, context) : payloads,
    decode: (payloads, context) => codec.decode(payloads, context),
  };
}
