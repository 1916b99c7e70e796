/** The clients: they ask for the planned jobs, ask again, and cancel, through whatever goes wrong meanwhile. */
import { sleep, type RetryPolicy } from '../../libs/client/backoff.js';
import { createClient, type Client } from '../../libs/client/client.js';
import { ProblemError } from '../../libs/client/problem.error.js';
import type { JobPlan, Plan } from './plan.js';

/** What a client was told about one planned job. */
export interface Asked {
  readonly plan: JobPlan;
  /** One for each request that was answered. */
  readonly answers: readonly {
    readonly outcome: 'accepted' | 'duplicate' | 'replayed';
    readonly jobId: string;
  }[];
  /** What the cancel was answered: `taken`, or the code of the problem. */
  readonly cancel?: string;
  /** Refusals, and requests whose every try failed. */
  readonly failures: readonly string[];
}

/** An outage takes seconds, a supervisor's backoff up to ten more. */
export const CLIENT_RETRY: RetryPolicy = { attempts: 80, firstMs: 200, mostMs: 2_000 };
const REQUEST_TIMEOUT_MS = 10_000;
const JOBS_IN_HAND_MAX = 100;
const REFUSAL_STATUS = 409;

export interface Submitting {
  /** What is known so far, in the order of the plan. */
  readonly asked: readonly Asked[];
  /** Settles when everything was asked and answered. */
  readonly done: Promise<void>;
}

/** A client of a tenant that does not give up. */
export function stubbornClient(url: string, key: string): Client {
  return createClient({ url, key, retry: CLIENT_RETRY, timeoutMs: REQUEST_TIMEOUT_MS });
}

/** Begins to ask, by the plan's times. */
export function startSubmitting(
  plan: Plan,
  clientOf: (tenant: string) => Client,
  signal: AbortSignal,
): Submitting {
  const asked: Asked[] = [];
  const startedAt = performance.now();
  const until = (atMs: number): Promise<void> =>
    sleep(Math.max(0, startedAt + atMs - performance.now()), signal);

  async function run(): Promise<void> {
    const inHand = new Set<Promise<void>>();
    for (const job of plan.jobs) {
      await until(job.atMs);
      while (inHand.size >= JOBS_IN_HAND_MAX) await Promise.race(inHand);
      const note = { plan: job, answers: [], failures: [] } satisfies Asked;
      asked.push(note);
      const work = ask(note, job, plan.seed, clientOf(job.tenant), signal).finally(() => inHand.delete(work));
      work.catch(() => undefined); // heard of below: it fails only when all are told to end
      inHand.add(work);
    }
    await Promise.all(inHand);
  }
  return { asked, done: run() };
}

type Note = { -readonly [Name in keyof Asked]: Asked[Name] } & {
  answers: { outcome: 'accepted' | 'duplicate' | 'replayed'; jobId: string }[];
  failures: string[];
};

async function ask(
  note: Note,
  job: JobPlan,
  seed: number,
  client: Client,
  signal: AbortSignal,
): Promise<void> {
  const submit = async (idempotencyKey: string): Promise<string | undefined> => {
    try {
      const { job: told, outcome } = await client.submit(job.kind, job.input, { idempotencyKey, signal });
      note.answers.push({ outcome, jobId: told.id });
      return told.id;
    } catch (error) {
      signal.throwIfAborted();
      note.failures.push(`POST /jobs: ${String(error)}`);
      return undefined;
    }
  };
  const first = `chaos-${seed}-${job.number}`;
  const once = async (): Promise<void> => {
    const jobId = await submit(first);
    if (jobId === undefined || job.cancelAfterMs === undefined) return;
    await sleep(job.cancelAfterMs, signal);
    await cancel(note, jobId, client, signal);
  };
  const again = async (): Promise<void> => {
    if (job.again === undefined) return;
    await sleep(job.again.afterMs, signal);
    await submit(job.again.under === 'same key' ? first : `${first}-again`);
  };
  await Promise.all([once(), again()]);
}

async function cancel(note: Note, jobId: string, client: Client, signal: AbortSignal): Promise<void> {
  try {
    await client.cancel(jobId, { reason: 'chaos', signal });
    note.cancel = 'taken';
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ProblemError && error.status === REFUSAL_STATUS) note.cancel = error.code;
    else note.failures.push(`POST /jobs/${jobId}/cancel: ${String(error)}`);
  }
}
