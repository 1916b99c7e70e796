/** Whose a job is: the codec is told a workflow's id, which is the job's, and needs the tenant. */
import type { Database } from '../store/database.js';

export interface JobTenants {
  /** The tenant of a job; throws JobUnknown when there is no such job. */
  of(jobId: string): Promise<string>;
  /** Spares the look-up where the caller has read the job anyway. A job never changes its tenant. */
  remember(jobId: string, tenantId: string): void;
}

/** A workflow or payload names a job that the database does not know. */
export class JobUnknown extends Error {
  readonly code = 'job_unknown';
  constructor(readonly jobId: string) {
    super(`No job ${jobId} is known, so there is no key for its payloads.`);
    this.name = 'JobUnknown';
  }
}

const JOBS_MAX = 10_000;

/** Look-ups through `database` (any role), the latest 10,000 kept. */
export function createJobTenants(database: Database, jobsMax = JOBS_MAX): JobTenants {
  const held = new Map<string, Promise<string>>();

  const keep = (jobId: string, tenant: Promise<string>): void => {
    held.delete(jobId);
    held.set(jobId, tenant);
    const oldest = held.keys().next();
    if (held.size > jobsMax && !oldest.done) held.delete(oldest.value);
  };

  return {
    of: (jobId) => {
      const there = held.get(jobId);
      const tenant = there ?? readTenant(database, jobId);
      keep(jobId, tenant);
      // A failed look-up is not kept: the next caller asks again.
      if (!there) tenant.catch(() => held.get(jobId) === tenant && held.delete(jobId));
      return tenant;
    },
    remember: (jobId, tenantId) => keep(jobId, Promise.resolve(tenantId)),
  };
}

async function readTenant(database: Database, jobId: string): Promise<string> {
  const { rows } = await database.query<{ tenant: string | null }>(
    `select longhaul.tenant_of_job($1) as tenant`,
    [jobId],
  );
  const tenant = rows[0]?.tenant;
  if (tenant == null) throw new JobUnknown(jobId);
  return tenant;
}
