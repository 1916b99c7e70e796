/** Jobs that a job starts, waits for and cancels, as steps of a saga do it (role worker). */
import { v7 as uuidv7 } from 'uuid';
import type { AnyJobDefinition } from '../saga/define.js';
import { canonicalJson } from '../saga/digest.js';
import type { JobRef, Transaction } from '../saga/implement.js';
import type { TenantCipher } from '../security/tenant-cipher.js';
import { inputAad } from './job-input.store.js';
import { joinNaturalKey } from './natural-key.js';

/** Children of one job. */
export interface ChildCounts {
  readonly open: number;
  readonly SUCCEEDED: number;
  readonly FAILED: number;
  readonly CANCELLED: number;
}

export interface ChildJobs {
  /**
   * Accepts a job of `definition` for each input, in the step's transaction: they start once it is committed. Those
   * already there, by their natural key, are passed over. Throws where an input does not fit the kind.
   */
  start(
    tx: Transaction,
    parent: JobRef,
    definition: AnyJobDefinition,
    inputs: readonly unknown[],
  ): Promise<void>;
  /** Asks for the cancellation of those still open. */
  cancel(tx: Transaction, parent: JobRef, reason: string): Promise<void>;
  count(tx: Transaction, parent: JobRef): Promise<ChildCounts>;
}

export function createChildJobs(cipher: TenantCipher): ChildJobs {
  const seal = async (tenantId: string, definition: AnyJobDefinition, offered: unknown) => {
    const input: unknown = (definition.input as { parse(value: unknown): unknown }).parse(offered);
    const id = uuidv7();
    const text = canonicalJson(input);
    const [sealed, digest] = await Promise.all([
      cipher.encrypt(tenantId, Buffer.from(text), inputAad({ id, tenantId })),
      cipher.digest(tenantId, text),
    ]);
    return {
      id,
      kind: definition.kind,
      key: definition.naturalKey ? joinNaturalKey(definition.naturalKey(input)) : null,
      input: sealed.toString('base64'),
      digest: digest.toString('hex'),
      deadlineMs: definition.deadlineMs,
    };
  };
  return {
    async start(tx, parent, definition, inputs) {
      const jobs = await Promise.all(inputs.map((input) => seal(parent.tenantId, definition, input)));
      await tx.query('select longhaul.start_children($1, $2, $3)', [
        parent.tenantId,
        parent.id,
        JSON.stringify(jobs),
      ]);
    },
    async cancel(tx, parent, reason) {
      await tx.query('select longhaul.cancel_children($1, $2, $3)', [parent.tenantId, parent.id, reason]);
    },
    async count(tx, parent) {
      const { rows } = await tx.query<{ counts: ChildCounts }>(
        'select longhaul.count_children($1, $2) as counts',
        [parent.tenantId, parent.id],
      );
      return (rows[0] as { counts: ChildCounts }).counts;
    },
  };
}
