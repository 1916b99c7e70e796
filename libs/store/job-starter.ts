/** Jobs that a step starts and does not wait for: they are nobody's children (role worker). */
import { v7 as uuidv7 } from 'uuid';
import type { AnyJobDefinition } from '../saga/define.js';
import type { JobRef, Transaction } from '../saga/implement.js';
import type { TenantCipher } from '../security/tenant-cipher.js';
import { acceptWithin } from './accept.store.js';
import { joinNaturalKey } from './natural-key.js';
import { sealInput } from './sealed-input.js';

export interface JobStarter {
  /**
   * Accepts a job in the step's transaction; it starts once that is committed. By its natural key the same one twice is
   * one. Throws where the kind has none, or the input does not fit it.
   */
  start(tx: Transaction, by: JobRef, of: AnyJobDefinition, input: unknown): Promise<void>;
}

export function createJobStarter(cipher: TenantCipher): JobStarter {
  return {
    async start(tx, { tenantId }, of, offered) {
      const input: unknown = (of.input as { parse(value: unknown): unknown }).parse(offered);
      const key = of.naturalKey?.(input);
      if (!key) throw new TypeError(`${of.kind} has no natural key: its jobs could not be told apart`);
      const id = uuidv7();
      const { items } = await acceptWithin(tx, {
        tenantId,
        route: 'steps',
        idempotencyKey: undefined,
        fingerprint: Buffer.alloc(0),
        jobs: [
          {
            ...{ id, kind: of.kind, key: joinNaturalKey(key), deadlineMs: of.deadlineMs },
            ...(await sealInput(cipher, { id, tenantId }, input)),
            restart: false,
            traceParent: null,
          },
        ],
      });
      const [item] = items;
      if (item?.outcome === 'conflict') {
        throw new TypeError(
          `Job ${item.jobId} has the natural key of what is to be started, and another input`,
        );
      }
    },
  };
}
