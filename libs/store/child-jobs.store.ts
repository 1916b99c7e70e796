/** Jobs that a step of a saga starts, waits for and cancels, in PostgreSQL (role worker). See 0011_children.sql. */
import { v7 as uuidv7 } from 'uuid';
import { CHILD_DEPTH_MAX, type ChildJobs, type ChildrenLook, type ChildrenRef } from '../saga/child-jobs.js';
import type { ChildEnd, ChildError } from '../saga/children.js';
import type { AnyJobDefinition } from '../saga/define.js';
import { Rejected } from '../saga/failure.js';
import type { JobRef, Transaction } from '../saga/implement.js';
import { effectKeyOf } from '../saga/protocol.js';
import type { TenantCipher } from '../security/tenant-cipher.js';
import type { Database } from './database.js';
import { resultAad } from './job-input.store.js';
import { joinNaturalKey } from './natural-key.js';
import { sealInput } from './sealed-input.js';

interface EndedChild {
  readonly id: string;
  readonly status: ChildEnd['status'];
  /** Sealed. */
  readonly result: Buffer | null;
  readonly error: ChildError | null;
}

export function createChildJobs(database: Database, cipher: TenantCipher): ChildJobs {
  const values = ({ job, ...ref }: ChildrenRef) => [job.tenantId, job.id, effectKeyOf(job.id, ref)];
  return {
    async start(tx, parent, definition, inputs) {
      const effect = effectKeyOf(parent.job.id, parent);
      const jobs = await Promise.all(
        inputs.map((input, index) => seal(cipher, parent.job.tenantId, definition, { input, effect, index })),
      );
      const { rows } = await tx.query<{ started: boolean }>(
        'select longhaul.start_children($1, $2, $3, $4, $5) as started',
        [...values(parent), CHILD_DEPTH_MAX, JSON.stringify(jobs)],
      );
      if (rows[0]?.started) return;
      throw new Rejected(
        'children_too_deep',
        `Jobs have children ${CHILD_DEPTH_MAX} deep at most; does kind "${definition.kind}" start itself?`,
      );
    },
    async look(parent, { many }, tx: Transaction = database) {
      const { rows } = await tx.query<{ counts: ChildrenLook }>(
        'select longhaul.count_children($1, $2, $3) as counts',
        values(parent),
      );
      const { counts } = rows[0] as { counts: ChildrenLook };
      if (many || counts.open > 0) return counts;
      const ended = await tx.query<EndedChild>(
        'select * from longhaul.ended_children($1, $2, $3)',
        values(parent),
      );
      const [only] = ended.rows;
      return only ? { ...counts, end: await endOf(cipher, parent.job, only) } : counts;
    },
    async cancel(parent, reason) {
      await database.query('select longhaul.cancel_children($1, $2, $3, $4)', [...values(parent), reason]);
    },
  };
}

/** A child's key is its step's effect key, and what tells it from its siblings: its natural key, or its place. */
async function seal(
  cipher: TenantCipher,
  tenantId: string,
  definition: AnyJobDefinition,
  offered: { readonly input: unknown; readonly effect: string; readonly index: number },
) {
  const input: unknown = (definition.input as { parse(value: unknown): unknown }).parse(offered.input);
  const id = uuidv7();
  const { input: sealed, digest } = await sealInput(cipher, { id, tenantId }, input);
  return {
    id,
    kind: definition.kind,
    key: `${offered.effect}/${joinNaturalKey(definition.naturalKey?.(input) ?? [offered.index])}`,
    input: sealed.toString('base64'),
    digest: digest.toString('hex'),
    deadlineMs: definition.deadlineMs,
  };
}

/** A succeeded child whose result nobody can open any more has none. */
async function endOf(cipher: TenantCipher, parent: JobRef, child: EndedChild): Promise<ChildEnd> {
  const { id: jobId, status, result, error } = child;
  if (status !== 'SUCCEEDED') {
    return {
      jobId,
      status,
      error: error ?? { code: 'unknown', title: 'The job did not succeed', detail: status },
    };
  }
  if (!result) return { jobId, status, result: undefined };
  const { tenantId } = parent;
  const plain = await cipher.decrypt(tenantId, result, resultAad({ id: jobId, tenantId }));
  return { jobId, status, result: JSON.parse(plain.toString('utf8')) as unknown };
}
