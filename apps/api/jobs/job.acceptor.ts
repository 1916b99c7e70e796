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
  type SealedCallback,
} from '../../../libs/store/accept.store.js';
import { sealInput } from '../../../libs/store/sealed-input.js';
import { readTenantName } from '../../../libs/store/jobs.store.js';
import { targetPolicy, type TargetPolicy } from '../../../libs/webhooks/target.js';
import { webhookCallback } from '../../../workflows/webhook-callback.job.js';
import { acceptedJobs } from '../api.metrics.js';
import { ApiResources } from '../api.resources.js';
import type { JsonBody } from '../http/json-body.js';
import { check, distinct } from '../http/validate.js';
import { isDatabaseBusy } from '../problems/database-errors.js';
import { Problem, type FieldError, type ProblemBody } from '../problems/problem.js';
import { openCompletion } from './completion.js';
import { Batch } from './job-requests.schema.js';
import { makeJobId } from './job-id.js';
import { JobReader } from './job.reader.js';
import type { Job } from './job.schema.js';
import { prepareSubmission, type Prepared, type SubmissionContext } from './submission.js';

/** Who submits, by which door, and what makes a repeat recognisable. */
export interface Submitter {
  readonly tenantId: string;
  /** The door: an idempotency key belongs to one tenant and one route. */
  readonly route: string;
  readonly idempotencyKey: string | undefined;
  readonly traceParent: string;
  /** A run by hand. */
  readonly scheduled?: { readonly scheduleId: string; readonly scheduledAt: Date };
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

  private readonly targets: TargetPolicy;

  constructor(
    private readonly resources: ApiResources,
    private readonly reader: JobReader,
  ) {
    this.targets = targetPolicy(resources.settings.webhooks.allowedNetworks);
  }

  /** One job. Throws Problem for what is not accepted. `asked`: what a repeat of the request has in common with it. */
  async acceptOne(
    body: JsonBody,
    submitter: Submitter,
    asked: unknown = body.value,
  ): Promise<{ answer: Answer & { job: Job }; replayed: boolean }> {
    const context = await this.contextFor(submitter.tenantId);
    const complete = openCompletion(this.resources, submitter.tenantId);
    const prepared = await complete(prepareSubmission(body.value, context, body.errors));
    const { answers, replayed } = await this.accept([prepared], asked, submitter);
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
    const complete = openCompletion(this.resources, submitter.tenantId);
    const items = await Promise.all(
      batch.value.jobs.map(async (job, index) => {
        const prefix = `/jobs/${index}`;
        const found = (flaws.get(String(index)) ?? []).map((error) => relativeTo(prefix, error));
        try {
          return await complete(prepareSubmission(job, context, found));
        } catch (error) {
          if (error instanceof Problem) return error.toBody();
          throw error;
        }
      }),
    );
    return this.accept(items, body.value, submitter);
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
    { tenantId, traceParent, scheduled }: Submitter,
  ): Promise<AcceptedInput | RefusedInput> {
    if ('code' in item) return { problem: item };
    const id = makeJobId();
    const { input, digest } = await sealInput(
      this.resources.cipher,
      { id, tenantId },
      item.input,
      item.stored ?? item.input,
    );
    const { kind, deadlineMs } = item.definition;
    const { key, restart, delayUntil } = item;
    const callback = item.callback && (await this.sealCallback(tenantId, id, item.callback.url));
    const run = scheduled && { ...scheduled, scheduledAt: scheduled.scheduledAt.toISOString() };
    const sealed = { id, kind, key, input, digest, deadlineMs, restart, traceParent };
    return { ...sealed, delayUntil, callback, scheduled: run };
  }

  /** The job that will tell of the end: only now is there somebody who can seal its input. */
  private async sealCallback(tenantId: string, job: string, url: string): Promise<SealedCallback> {
    const id = makeJobId();
    const { deadlineMs } = webhookCallback;
    return { id, deadlineMs, ...(await sealInput(this.resources.cipher, { id, tenantId }, { job, url })) };
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
    { id, kind, key, delayUntil, callback, scheduled }: AcceptedInput,
  ): Job {
    return this.reader.accepted({
      id,
      kind,
      key,
      createdAt: new Date(item.createdAt),
      deadlineAt: new Date(item.deadlineAt),
      attemptOf: item.attemptOf,
      delayUntil: delayUntil === undefined ? null : new Date(delayUntil),
      callback: callback?.id ?? null,
      schedule: scheduled?.scheduleId ?? null,
      scheduledAt: scheduled ? new Date(scheduled.scheduledAt) : null,
    });
  }

  /** What submissions of a tenant are judged by. */
  async contextFor(tenantId: string): Promise<SubmissionContext> {
    const { datasets, documents, definitions } = this.resources;
    const tenantName = await this.tenantNameOf(tenantId);
    return { tenantId, tenantName, datasets, documents, definitions, targets: this.targets };
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
