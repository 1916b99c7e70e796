/** A job's input, opened for its steps. It never enters the workflow. */
import type { TenantCipher } from '../security/tenant-cipher.js';
import { Denied, Transient } from '../saga/failure.js';
import type { JobRef } from '../saga/implement.js';
import type { Database } from './database.js';
import { toStepFailure } from './postgres-failure.js';

/** Inputs are at most 1 MiB; a worker works on few jobs at a time. */
const INPUTS_KEPT_MAX = 64;

/** Reads, opens and parses inputs; the last few are kept. `parse` is the kind's schema. */
export function createJobInputs(
  database: Database,
  cipher: TenantCipher,
  parse: (job: JobRef, input: unknown) => unknown,
): (job: JobRef) => Promise<unknown> {
  const kept = new Map<string, Promise<unknown>>();

  async function load(job: JobRef): Promise<unknown> {
    const sealed = await readSealed(database, job);
    const plain = await cipher.decrypt(job.tenantId, sealed, inputAad(job));
    return parse(job, JSON.parse(plain.toString('utf8')));
  }

  return (job) => {
    const known = kept.get(job.id);
    if (known) return known;
    const loading = load(job);
    kept.set(job.id, loading);
    loading.catch(() => kept.delete(job.id));
    const [oldest] = kept.keys();
    if (kept.size > INPUTS_KEPT_MAX && oldest !== undefined) kept.delete(oldest);
    return loading;
  };
}

/** What an input's seal is bound to. */
export function inputAad(job: Pick<JobRef, 'id' | 'tenantId'>): string {
  return `${job.tenantId}/${job.id}/input`;
}

/** What a result's seal is bound to. */
export function resultAad(job: Pick<JobRef, 'id' | 'tenantId'>): string {
  return `${job.tenantId}/${job.id}/result`;
}

async function readSealed(database: Database, job: JobRef): Promise<Buffer> {
  try {
    const { rows } = await database.query<{ input: Buffer | null }>({
      name: 'job_input',
      text: 'select longhaul.job_input($1, $2) as input',
      values: [job.tenantId, job.id],
    });
    const input = rows[0]?.input;
    if (!input) throw new Denied('job_unknown', 'There is no such job for this tenant.');
    return input;
  } catch (error) {
    const failure = toStepFailure(error, 'Reading the input', 'no');
    throw failure instanceof Error
      ? failure
      : new Transient('database_lost', String(failure), { certainty: 'no' });
  }
}
