/** The step `deliver`: what is due is sent, many at a time; what is to be sent later puts the step off until then. */
import { Deferred, Transient } from '../../libs/saga/failure.js';
import type { CallContext, JobRef, StepProgress } from '../../libs/saga/implement.js';
import { inTenant } from '../../libs/store/database.js';
import type { Answer } from '../../libs/webhooks/delivery.client.js';
import type { AttemptRecord } from '../../libs/webhooks/delivery-log.store.js';
import { signedHeaders } from '../../libs/webhooks/signature.js';
import { verdictOn } from '../../libs/webhooks/verdict.js';
import { webhookFanout } from '../../workflows/webhook-fanout.job.js';
import { openBatchRecorder } from '../batch.recorder.js';
import type { WebhookResources } from '../resources.js';
import {
  dueDeliveries,
  prepareRound,
  recordHealth,
  recordOutcomes,
  standingOf,
  type DisabledEndpoint,
  type DueDelivery,
  type Outcome,
  type Standing,
} from './deliveries.store.js';

/** Of one job, so that a large event leaves the worker's other jobs their share. */
const AT_ONCE_MAX = 64;
/** Of all jobs of a worker, to one host. */
const AT_ONCE_PER_HOST_MAX = 64;
const PAGE_MAX = 500;
const RECORD_LIMITS = { atOnceMax: 250, afterMs: 250 };
/** A few within the step's heartbeat; each is a call to the engine. */
const HEARTBEAT_EVERY_MS = 1_500;
/** Nothing is begun after that, so that the last answers are in before the step's time box of 60 s is over. */
const BEGIN_MS_MAX = 40_000;
/** Those whose time comes within so long after the next are sent with it. */
const GATHERED_MS = 500;

/** The bytes of an event. */
export type Payloads = (jobId: string) => Promise<Uint8Array>;

export interface DeliveringContext extends Pick<CallContext<unknown>, 'job' | 'signal' | 'heartbeat'> {
  readonly progress: (progress: StepProgress) => void;
}

/** Sends until nothing is open; throws `Deferred` while something is, for as long as nothing is due. */
export async function deliverAll(
  resources: WebhookResources,
  context: DeliveringContext,
  payloads: Payloads,
): Promise<{ delivered: number; dead: number }> {
  const { job, progress } = context;
  await inTenant(resources.database, job.tenantId, (tx) => prepareRound(tx, job.id));
  await deliverDue(resources, context, payloads);
  const standing = await inTenant(resources.database, job.tenantId, (tx) => standingOf(tx, job.id));
  const { open, delivered, dead } = standing;
  progress({ done: delivered + dead, total: open + delivered + dead, unit: 'deliveries' });
  if (open === 0) return { delivered, dead };
  throw new Deferred(napMsOf(standing), `${open} deliveries wait for their next attempt`);
}

function napMsOf({ nextInMs }: Standing): number {
  return Math.max(0, Math.ceil(nextInMs ?? 0)) + GATHERED_MS;
}

async function deliverDue(
  resources: WebhookResources,
  context: DeliveringContext,
  payloads: Payloads,
): Promise<void> {
  const until = performance.now() + BEGIN_MS_MAX;
  const next = pagewise(resources, context.job);
  const recorder = openBatchRecorder<Outcome>(
    (batch) => record(resources, context.job, batch),
    RECORD_LIMITS,
  );
  let failure: { readonly error: unknown } | undefined;
  const mayBegin = (): boolean =>
    !failure && !context.signal.aborted && !recorder.hasFailed() && performance.now() < until;
  const lane = async (): Promise<void> => {
    while (mayBegin()) {
      const due = await next();
      if (!due) return;
      const outcome = await attempt(resources, context, due, payloads);
      if (outcome) recorder.add(outcome);
    }
  };
  const beating = setInterval(() => context.heartbeat(), HEARTBEAT_EVERY_MS);
  try {
    // Where one goes wrong the others end what they have begun, and what came of it is written down.
    const fail = (error: unknown): void => void (failure ??= { error });
    await Promise.all(Array.from({ length: AT_ONCE_MAX }, () => lane().catch(fail)));
    await recorder.close();
  } finally {
    clearInterval(beating);
  }
  if (failure) throw failure.error;
  if (context.signal.aborted)
    throw new Transient('aborted', 'The deliveries were told to end', { certainty: 'no' });
}

/** One delivery after the other, fetched by the page; undefined once there is none. */
function pagewise({ database }: WebhookResources, job: JobRef): () => Promise<DueDelivery | undefined> {
  let page: DueDelivery[] = [];
  let at = 0;
  let after: string | undefined;
  let fetching: Promise<void> | undefined;
  let isOver = false;

  async function fetchPage(): Promise<void> {
    page = await inTenant(database, job.tenantId, (tx) =>
      dueDeliveries(tx, job.id, { after, limit: PAGE_MAX }),
    );
    at = 0;
    after = page.at(-1)?.endpointId;
    isOver = page.length === 0;
    fetching = undefined;
  }

  return async () => {
    while (at >= page.length && !isOver) await (fetching ??= fetchPage());
    return page[at++];
  };
}

/** Undefined where it was cut short by us: then nothing is known, and it is sent again. */
async function attempt(
  { webhooks }: WebhookResources,
  { job, signal }: DeliveringContext,
  due: DueDelivery,
  payloads: Payloads,
): Promise<Outcome | undefined> {
  const { url, endpointId, concurrency, jobId } = due;
  const leave = await webhooks.gate.enter(endpointId, concurrency, signal);
  const leaveHost = await webhooks.gate.enter(new URL(url).host, AT_ONCE_PER_HOST_MAX, signal);
  try {
    if (signal.aborted) return undefined;
    const at = new Date();
    const body = await payloads(jobId);
    const keys = await webhooks.keys(job.tenantId, { ...due, endpointId: due.secretOf });
    const message = { id: messageIdOf(jobId), timestampSeconds: Math.floor(at.getTime() / 1_000), body };
    const headers = { ...HEADERS, ...signedHeaders(message, keys) };
    const answer = await webhooks.client.deliver({ url, headers, body }, signal);
    if (signal.aborted && answer.kind === 'unanswered') return undefined;
    const trial = { attempt: due.attempts + 1, waitsMs: webhooks.retryWaitsMs, random: Math.random() };
    return { delivery: due, verdict: verdictOn(answer, trial), attempt: recordOf(answer, at) };
  } finally {
    leaveHost();
    leave();
  }
}

const HEADERS = { 'content-type': 'application/json', 'user-agent': 'Longhaul-Webhooks' };

/** The `webhook-id`: the event's, so that a receiver knows a repeat whoever carries it. */
function messageIdOf(jobId: string): string {
  return `msg_${jobId}`;
}

function recordOf(answer: Answer, at: Date): AttemptRecord {
  const base = { at: at.toISOString(), durationMs: answer.durationMs };
  if (answer.kind !== 'answered') return { ...base, code: answer.code, detail: answer.detail };
  return { ...base, status: answer.status, ...(answer.head ? { detail: answer.head } : {}) };
}

async function record(
  { database, children }: WebhookResources,
  job: JobRef,
  outcomes: readonly Outcome[],
): Promise<void> {
  const news = await inTenant(database, job.tenantId, async (tx) => {
    const disabled = await recordHealth(tx, outcomes);
    const effect = { job, step: 'deliver', generation: 0 };
    if (disabled.length > 0) await children.start(tx, effect, webhookFanout, disabled.map(disabledEvent));
    return recordOutcomes(tx, job.id, outcomes);
  });
  // Another attempt of this job has sent them meanwhile: two must not go on side by side.
  if (news < outcomes.length) {
    throw new Transient('superseded', 'Another attempt records these deliveries', { certainty: 'no' });
  }
}

/** The operational event by which an endpoint's owner is told. */
function disabledEvent({ id, url, reason }: DisabledEndpoint): object {
  return {
    event: `endpoint-disabled/${id}/${Date.now()}`,
    type: 'longhaul.webhook_endpoint.disabled',
    data: { endpoint: id, url, reason },
  };
}
