/** Accepts jobs: checks, seals, and hands over to the database in one round trip. */
import { Injectable } from '@nestjs/common';
import { canonicalJson } from '../../../libs/saga/digest.js';
import {
  acceptJobs,
  type AcceptAnswer,
  type AcceptedInput,
  type AcceptOutcome,
  type AcceptRequest,
  type RefusedInput,
} from '../../../libs/store/accept.store.js';
import { readTenantName } from '../../../libs/store/jobs.store.js';
import { acceptedJobs } from '../api.metrics.js';
import { ApiResources } from '../api.resources.js';
import type { JsonBody } from '../http/json-body.js';
import { check, distinct } from '../http/validate.js';
import { isDatabaseBusy } from '../problems/database-errors.js';
import { Problem, type FieldError, type ProblemBody } from '../problems/problem.js';
import { Batch } from './job-requests.schema.js';
import { makeJobId } from './job-id.js';
import { JobReader } from './job.reader.js';
import type { Job } from './job.schema.js';
import { refuseUnknownReferences } from './stored-references.js';
import { prepareSubmission, type Prepared, type SubmissionContext } from './submission.js';

/** Who submits, by which door, and what makes a repeat recognisable. */
export interface Submitter {
  readonly tenantId: string;
  /** The door: an idempotency key belongs to one tenant and one route. */
  readonly route: string;
  readonly idempotencyKey: string | undefined;
  readonly traceParent: string;
}

export type Answer =
  | { readonly status: 202 | 200; readonly job: Job }
  | { readonly status: 409 | 422; readonly problem: ProblemBody };

export interface Accepted {
  readonly answers: readonly Answer[];
  /** The idempotency key was seen: these are the first answers, with the jobs' present state. */
  readonly replayed: boolean;
}

const RETRY_AFTER_SECONDS = '1';
const DEADLOCK_TRIES_MAX = 3;
const TENANT_NAMES_MAX = 10_000;
const LOCK_NOT_AVAILABLE = '55P03';
const NO_FINGERPRINT = Buffer.alloc(0);

@Injectable()
export class JobAcceptor {
  private readonly tenantNames = new Map<string, string>();

  constructor(
    private readonly resources: ApiResources,
    private readonly reader: JobReader,
  ) {}

  /** One job. Throws Problem for what is not accepted. */
  async acceptOne(
    body: JsonBody,
    submitter: Submitter,
  ): Promise<{ answer: Answer & { job: Job }; replayed: boolean }> {
    const context = await this.contextFor(submitter.tenantId);
    const prepared = prepareSubmission(body.value, context, body.errors);
    await refuseUnknownReferences(this.resources.database, submitter.tenantId, prepared);
    const { answers, replayed } = await this.accept([prepared], body.value, submitter);
    const [answer] = answers;
    if (!answer) throw new Error('longhaul.accept answered nothing for one job');
    if ('job' in answer) return { answer, replayed };
    throw new Problem(answer.problem.code, answer.problem.detail, answer.problem);
  }

  /** 1 to 1,000 jobs, the valid ones in one transaction. Throws Problem where the batch itself is wrong. */
  async acceptBatch(body: JsonBody, submitter: Submitter): Promise<Accepted> {
    const flaws = Map.groupBy(body.errors, (error) => /^\/jobs\/(\d+)(?=\/|$)/.exec(error.pointer)?.[1]);
    const batch = check(Batch, body.value);
    const own = [...(flaws.get(undefined) ?? []), ...(batch.ok ? [] : batch.errors)];
    if (!batch.ok || own.length > 0) {
      throw new Problem('validation_failed', 'Expected {jobs: […]} with 1 to 1,000 jobs.', {
        errors: distinct(own),
      });
    }
    const context = await this.contextFor(submitter.tenantId);
    const prepare = async (job: unknown, index: number): Promise<Prepared | ProblemBody> => {
      const prefix = `/jobs/${index}`;
      const found = (flaws.get(String(index)) ?? []).map((error) => relativeTo(prefix, error));
      try {
        const prepared = prepareSubmission(job, context, found);
        await refuseUnknownReferences(this.resources.database, submitter.tenantId, prepared);
        return prepared;
      } catch (error) {
        if (error instanceof Problem) return error.toBody();
        throw error;
      }
    };
    return this.accept(await Promise.all(batch.value.jobs.map(prepare)), body.value, submitter);
  }

  private async accept(
    items: readonly (Prepared | ProblemBody)[],
    body: unknown,
    submitter: Submitter,
  ): Promise<Accepted> {
    const { tenantId } = submitter;
    const jobs = await Promise.all(items.map((item) => this.seal(item, submitter)));
    const answer = await this.store({
      tenantId,
      route: submitter.route,
      idempotencyKey: submitter.idempotencyKey,
      fingerprint:
        submitter.idempotencyKey === undefined
          ? NO_FINGERPRINT
          : await this.resources.cipher.digest(tenantId, canonicalJson(body)),
      jobs,
    });
    if (answer.reused) {
      throw new Problem('idempotency_key_reused', 'The Idempotency-Key came before with another body.');
    }
    const accepted = answer.items.some((item) => item.outcome === 'accepted');
    if (accepted && !answer.replayed) this.resources.poke.poke();
    const answers = await this.answersOf(answer, jobs, tenantId);
    this.count(answer, items);
    return { answers, replayed: answer.replayed === true };
  }

  private async seal(
    item: Prepared | ProblemBody,
    { tenantId, traceParent }: Submitter,
  ): Promise<AcceptedInput | RefusedInput> {
    if ('code' in item) return { problem: item };
    const { cipher } = this.resources;
    const id = makeJobId();
    const text = canonicalJson(item.input);
    const [input, digest] = await Promise.all([
      cipher.encrypt(tenantId, Buffer.from(text), `${tenantId}/${id}/input`),
      cipher.digest(tenantId, text),
    ]);
    const { kind, deadlineMs } = item.definition;
    return { id, kind, key: item.key, input, digest, deadlineMs, restart: item.restart, traceParent };
  }

  /** Tries again where two transactions got into each other's way; a rival that takes over 1 s is answered with 409. */
  private async store(request: AcceptRequest): Promise<AcceptAnswer> {
    for (let tries = 1; ; tries += 1) {
      try {
        const { acceptances, database } = this.resources;
        const answer = await (tries === 1 ? acceptances.accept(request) : acceptJobs(database, request));
        // The first answer was swept between two looks of the function, or was about to be given: look again.
        if (answer.replayed !== null) return answer;
        if (tries >= DEADLOCK_TRIES_MAX) throw inFlight();
      } catch (error) {
        if (!isDatabaseBusy(error)) throw error;
        const waited = (error as { code?: unknown }).code === LOCK_NOT_AVAILABLE;
        if (!waited && tries < DEADLOCK_TRIES_MAX) continue;
        if (request.idempotencyKey === undefined) throw error;
        throw inFlight(error);
      }
    }
  }

  private async answersOf(
    answer: AcceptAnswer,
    jobs: readonly (AcceptedInput | RefusedInput)[],
    tenantId: string,
  ): Promise<Answer[]> {
    const known = answer.items.flatMap((item) =>
      item.outcome === 'duplicate' || (item.outcome === 'accepted' && answer.replayed) ? [item.jobId] : [],
    );
    const readings =
      known.length === 0
        ? new Map<string, never>()
        : await this.reader.readMany(tenantId, [...new Set(known)], known.length === 1);
    return answer.items.map((item, index): Answer => {
      switch (item.outcome) {
        case 'invalid':
          return { status: 422, problem: item.problem as ProblemBody };
        case 'conflict':
          return { status: 409, problem: conflictWith(item) };
        case 'accepted': {
          const job = jobs[index];
          if (!answer.replayed && job && 'kind' in job) return { status: 202, job: this.freshJob(item, job) };
          return { status: 202, job: present(readings.get(item.jobId), item.jobId) };
        }
        case 'duplicate':
          return { status: 200, job: { ...present(readings.get(item.jobId), item.jobId), duplicate: true } };
      }
    });
  }

  private freshJob(
    item: Extract<AcceptOutcome, { outcome: 'accepted' }>,
    { id, kind, key }: AcceptedInput,
  ): Job {
    return this.reader.accepted({
      id,
      kind,
      key,
      createdAt: new Date(item.createdAt),
      deadlineAt: new Date(item.deadlineAt),
      attemptOf: item.attemptOf,
    });
  }

  private async contextFor(tenantId: string): Promise<SubmissionContext> {
    const { datasets, definitions } = this.resources;
    return { tenantId, tenantName: await this.tenantNameOf(tenantId), datasets, definitions };
  }

  /** A tenant's name never changes. */
  private async tenantNameOf(tenantId: string): Promise<string> {
    const there = this.tenantNames.get(tenantId);
    if (there !== undefined) return there;
    const name = (await readTenantName(this.resources.database, tenantId)) ?? '';
    if (this.tenantNames.size >= TENANT_NAMES_MAX) this.tenantNames.clear();
    this.tenantNames.set(tenantId, name);
    return name;
  }

  private count(answer: AcceptAnswer, items: readonly (Prepared | ProblemBody)[]): void {
    for (const [index, { outcome }] of answer.items.entries()) {
      const item = items[index];
      const kind = item && 'definition' in item ? item.definition.kind : 'none';
      acceptedJobs.inc({ kind, outcome: answer.replayed === true ? 'replayed' : outcome });
    }
  }
}

function inFlight(cause?: unknown): Problem {
  return new Problem(
    'idempotency_in_flight',
    'The first request with this Idempotency-Key is not done yet.',
    {
      headers: { 'retry-after': RETRY_AFTER_SECONDS },
      cause,
    },
  );
}

function present(reading: { readonly job: Job } | undefined, jobId: string): Job {
  if (reading) return reading.job;
  throw new Problem('job_not_found', `There is no job ${jobId} any more.`);
}

function conflictWith({ jobId }: { jobId: string }): ProblemBody {
  return {
    code: 'natural_key_conflict',
    detail: `Job ${jobId} has the same natural key and another input.`,
    jobId,
  };
}

function relativeTo(prefix: string, error: FieldError): FieldError {
  return { pointer: error.pointer.slice(prefix.length), detail: error.detail };
}
