/** Reads jobs for clients: the stored record, joined with what the workflow says, under a revision that rises. */
import { Injectable } from '@nestjs/common';
import { isKeyDestroyed } from '../../../libs/security/cipher.error.js';
import {
  listJobs,
  observeJob,
  readJob,
  readJobs,
  type JobFilter,
  type JobRecord,
} from '../../../libs/store/jobs.store.js';
import { ApiResources } from '../api.resources.js';
import { QueuePolls } from '../engine/queue-polls.js';
import { StateQueries, type Answered } from '../engine/state-queries.js';
import { isTerminal, type Job } from './job.schema.js';
import {
  FIRST_REVISION,
  hashOf,
  ownOfAccepted,
  sightOf,
  sightOfAccepted,
  type AcceptedJob,
  type JobSight,
  type ViewContext,
} from './job.view.js';
import { toStoredView } from './stored-view.js';

/** A job as read: the record behind it, for decisions, and the representation. */
export interface Reading {
  readonly record: JobRecord;
  readonly job: Job;
}

/** Rivals that may record another view between our read and ours, before we settle for the last revision read. */
const OBSERVE_TRIES_MAX = 4;
const OBSERVERS_AT_ONCE = 8;
/** A job that has not begun by then may wait for a worker that is not there. */
const BEGINS_WITHIN_MS = 5_000;

@Injectable()
export class JobReader {
  /** By kind, a job that was just accepted: such jobs differ in little. */
  private readonly acceptedLike = new Map<string, Job>();

  constructor(
    private readonly resources: ApiResources,
    private readonly queries: StateQueries,
    private readonly polls: QueuePolls,
  ) {}

  /** One job, as fresh as it can be had; undefined where this tenant has none of that id. */
  async read(tenantId: string, id: string): Promise<Reading | undefined> {
    const record = await readJob(this.resources.database, tenantId, id);
    return record && this.present(record, await this.ask(record));
  }

  /** Several jobs in one round trip, by id. `fresh` asks the workflows too. */
  async readMany(tenantId: string, ids: readonly string[], fresh: boolean): Promise<Map<string, Reading>> {
    const records = await readJobs(this.resources.database, tenantId, ids);
    // The workflows are asked all at once (nobody waits longer than for one), the database a few at a time.
    const answers = await Promise.all(
      records.map((record) => (fresh ? this.ask(record) : this.peek(record))),
    );
    const readings = await mapAtMost(
      records.map((record, index) => ({ record, answered: answers[index] })),
      OBSERVERS_AT_ONCE,
      ({ record, answered }) => this.present(record, answered),
    );
    return new Map(readings.map((reading) => [reading.job.id, reading]));
  }

  /** A page of stored states, newest first. */
  async list(tenantId: string, filter: JobFilter): Promise<Job[]> {
    const records = await listJobs(this.resources.database, tenantId, filter);
    const readings = await mapAtMost(records, OBSERVERS_AT_ONCE, async (record) =>
      this.settle(record, await this.peek(record)),
    );
    return readings.map((reading) => reading.job);
  }

  /** The representation of a job that was accepted a moment ago. */
  accepted(job: AcceptedJob): Job {
    const context = this.contextOf(job.kind, null);
    const like = this.acceptedLike.get(job.kind) ?? toJob(sightOfAccepted(job, context), FIRST_REVISION);
    this.acceptedLike.set(job.kind, like);
    return { ...like, ...ownOfAccepted(job, context) };
  }

  /** What the workflow says. One not started yet, or ended, is not asked. */
  private async ask(record: JobRecord): Promise<Answered | undefined> {
    return record.status === 'STARTED' ? this.queries.read(record.tenantId, record.id) : undefined;
  }

  /** Lists do not ask, but see what others asked for: or the same job would look different from one door to the next. */
  private async peek(record: JobRecord): Promise<Answered | undefined> {
    return record.status === 'STARTED' ? this.queries.peek(record.id) : undefined;
  }

  private async present(record: JobRecord, answered: Answered | undefined): Promise<Reading> {
    // A saga that has ended has recorded its end before: look again.
    const newer =
      answered?.state.phase === 'done'
        ? await readJob(this.resources.database, record.tenantId, record.id)
        : undefined;
    return this.settle(newer ?? record, answered);
  }

  private async settle(first: JobRecord, answered: Answered | undefined): Promise<Reading> {
    let record = first;
    const unpolled = await this.unpolledQueuesOf(record);
    for (let tries = 1; ; tries += 1) {
      const context = { ...this.contextOf(record.kind, await this.resultOf(record)), unpolled };
      const sight = sightOf(record, answered, context);
      const hash = hashOf(sight);
      // Nobody has seen more than what acceptance answered; nothing has happened since.
      const untouched = record.viewHash === null && record.status === 'PENDING' && unpolled.length === 0;
      if (untouched || record.viewHash?.equals(hash) || tries > OBSERVE_TRIES_MAX) {
        return { record, job: toJob(sight, record.revision) };
      }
      const revision = await observeJob(this.resources.database, record.tenantId, record.id, {
        oldHash: record.viewHash,
        newHash: hash,
        view: toStoredView(sight),
      });
      if (revision !== undefined) return { record, job: toJob(sight, revision) };
      record = (await readJob(this.resources.database, record.tenantId, record.id)) ?? record;
    }
  }

  /** Those a job that does not begin may wait for. */
  private async unpolledQueuesOf(record: JobRecord): Promise<readonly string[]> {
    const { kind, status, createdAt, delayUntil } = record;
    const definition = this.resources.definitions.get(kind);
    const isWaiting =
      status === 'PENDING' && Date.now() - (delayUntil ?? createdAt).getTime() > BEGINS_WITHIN_MS;
    return isWaiting && definition ? this.polls.unpolledOf(definition) : [];
  }

  /** The opened result; null where there is none, or where the tenant's key was destroyed and nobody can read it. */
  private async resultOf(record: JobRecord): Promise<unknown> {
    if (!record.result || !isTerminal(record)) return null;
    try {
      const plain = await this.resources.cipher.decrypt(
        record.tenantId,
        record.result,
        `${record.tenantId}/${record.id}/result`,
      );
      return JSON.parse(plain.toString('utf8'));
    } catch (error) {
      if (isKeyDestroyed(error)) return null;
      throw error;
    }
  }

  private contextOf(kind: string, result: unknown): ViewContext {
    const { settings, definitions } = this.resources;
    return {
      definition: definitions.get(kind),
      publicUrl: settings.publicUrl,
      temporal: settings.temporal,
      result,
      unpolled: [],
      now: new Date(),
    };
  }
}

function toJob({ id, kind, key, status, phase, ...rest }: JobSight, revision: number): Job {
  return { id, kind, key, status, phase, revision, ...rest };
}

/** Like Promise.all over a map, `atOnce` at a time. */
async function mapAtMost<T, R>(
  items: readonly T[],
  atOnce: number,
  map: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) {
      results[index] = await map(items[index] as T);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work));
  return results;
}
