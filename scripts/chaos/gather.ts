/** Brings together what the audit judges: the API's, the database's, the engine's and the store's word. */
import type { Client } from '../../libs/client/client.js';
import type { Job } from '../../libs/client/job.types.js';
import { ProblemError } from '../../libs/client/problem.error.js';
import type { Database } from '../../libs/store/database.js';
import { readArtifactFolder } from './evidence.artifacts.js';
import type { EngineWitness } from './evidence.engine.js';
import type { Evidence, JobRow } from './evidence.js';
import { readDatabase } from './evidence.store.js';
import type { EndedJob } from './kinds/kind.js';

export interface Witnesses {
  readonly database: Database;
  readonly engine: EngineWitness;
  readonly artifacts: string;
  readonly clientOf: (tenant: string) => Client;
}

const READS_AT_ONCE = 8;
const NOT_FOUND = 404;

/** Everything, as of now. */
export async function gather(
  { database, engine, artifacts, clientOf }: Witnesses,
  known: Pick<Evidence, 'asked' | 'seenEnds' | 'children'>,
): Promise<Evidence> {
  const [stored, workflows, store] = await Promise.all([
    readDatabase(database),
    engine.list('all'),
    readArtifactFolder(artifacts),
  ]);
  return { ...known, ...stored, workflows, store, shown: await readShown(stored.jobs, clientOf) };
}

async function readShown(
  jobs: readonly JobRow[],
  clientOf: (tenant: string) => Client,
): Promise<Map<string, Job>> {
  const shown = new Map<string, Job>();
  const queue = jobs.values();
  const lane = async (): Promise<void> => {
    for (const { id, tenant } of queue) {
      const job = await clientOf(tenant)
        .get(id)
        .catch((error: unknown) => {
          if (error instanceof ProblemError && error.status === NOT_FOUND) return undefined;
          throw error;
        });
      if (job) shown.set(id, job);
    }
  };
  await Promise.all(Array.from({ length: READS_AT_ONCE }, lane));
  return shown;
}

/** The jobs of a kind with what was asked for, as its own audit wants them. */
export function endedJobsOf(
  kind: string,
  evidence: Evidence,
  clientOf: (tenant: string) => Client,
): EndedJob[] {
  return evidence.asked.flatMap(({ plan, answers }) => {
    const job = evidence.shown.get(answers[0]?.jobId ?? '');
    if (plan.kind !== kind || job === undefined) return [];
    return { input: plan.input, tenant: plan.tenant, client: clientOf(plan.tenant), job };
  });
}
