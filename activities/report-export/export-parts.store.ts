/** The parts of a plan, as this job's worker sees them (role `longhaul_worker`). */
import type { KeyRange } from '../../libs/datasets/select.sql.js';
import { inTenant, type Database } from '../../libs/store/database.js';

export interface PlanRef {
  readonly jobId: string;
  readonly tenantId: string;
  readonly plan: number;
}

/** Stores a plan whole; a second attempt's replaces the first's. */
export async function storePlan(
  database: Database,
  ref: PlanRef,
  ranges: readonly KeyRange[],
): Promise<void> {
  await inTenant(database, ref.tenantId, async (connection) => {
    await connection.query('delete from longhaul.export_parts where job_id = $1 and plan = $2', [
      ref.jobId,
      ref.plan,
    ]);
    await connection.query(
      `insert into longhaul.export_parts (job_id, tenant_id, plan, part, key_from, key_to)
       select $1, $2, $3, bound.part - 1, bound.key_from, bound.key_to
         from unnest($4::text[], $5::text[]) with ordinality as bound (key_from, key_to, part)`,
      [
        ref.jobId,
        ref.tenantId,
        ref.plan,
        ranges.map(({ from }) => from ?? null),
        ranges.map(({ to }) => to ?? null),
      ],
    );
  });
}

/** Where a part begins and ends; undefined when there is no such plan (any more). */
export async function findPart(
  database: Database,
  ref: PlanRef,
  part: number,
): Promise<KeyRange | undefined> {
  return inTenant(database, ref.tenantId, async (connection) => {
    const { rows } = await connection.query<{ key_from: string | null; key_to: string | null }>(
      'select key_from, key_to from longhaul.export_parts where job_id = $1 and plan = $2 and part = $3',
      [ref.jobId, ref.plan, part],
    );
    const [row] = rows;
    return row && { from: row.key_from ?? undefined, to: row.key_to ?? undefined };
  });
}
