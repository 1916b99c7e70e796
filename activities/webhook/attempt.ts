/** One attempt of one delivery: places at the endpoint and its host, the signature, the POST, and what its answer means. */
import type { JobRef } from '../../libs/saga/implement.js';
import type { Cutter } from '../../libs/webhooks/cutter.js';
import type { Answer } from '../../libs/webhooks/delivery.client.js';
import { signedHeaders } from '../../libs/webhooks/signature.js';
import { verdictOn } from '../../libs/webhooks/verdict.js';
import type { WebhookResources } from '../resources.js';
import type { DueDelivery } from './deliveries.store.js';
import type { Attempted, Outcome } from './outcomes.store.js';

/** Of all jobs of a worker, to one host. */
const AT_ONCE_PER_HOST_MAX = 64;
/** To an endpoint that takes longer than this for an answer: each holds up its event, which holds a slot of the worker. */
const SLOW_MS = 2_000;
const AT_ONCE_WHEN_SLOW_MAX = 4;
/** For a place; then the delivery is left for the next round. */
const PATIENCE_MS = 5_000;

/** The bytes of an event. */
export type Payloads = (jobId: string) => Promise<Uint8Array>;

/** What the deliveries of one round share. */
export interface Round {
  readonly job: JobRef;
  readonly signal: AbortSignal;
  readonly cutter: Cutter;
  readonly payloads: Payloads;
  /** Endpoints and hosts at which there was no place in time: nobody of this round waits for one again. */
  readonly crowded: Set<string>;
}

const MS_PER_SECOND = 1_000;
const HEADERS = { 'content-type': 'application/json', 'user-agent': 'Longhaul-Webhooks' };

/** Undefined where there was no place, or it was cut short by us: then nothing is known, and it is sent again. */
export async function attempt(
  { webhooks }: WebhookResources,
  round: Round,
  due: DueDelivery,
): Promise<Outcome | undefined> {
  const { gate, paces } = webhooks;
  const { endpointId, concurrency } = due;
  const to = webhooks.destinations(due.url);
  const most = paces.isSlow(endpointId) ? Math.min(concurrency, AT_ONCE_WHEN_SLOW_MAX) : concurrency;
  if (!gate.tryEnter(endpointId, most) && !(await waitFor(webhooks, round, endpointId, most)))
    return undefined;
  try {
    if (
      !gate.tryEnter(to.host, AT_ONCE_PER_HOST_MAX) &&
      !(await waitFor(webhooks, round, to.host, AT_ONCE_PER_HOST_MAX))
    )
      return undefined;
    try {
      return await send();
    } finally {
      gate.leave(to.host);
    }
  } finally {
    gate.leave(endpointId);
  }

  async function send(): Promise<Outcome | undefined> {
    const { job, signal, cutter } = round;
    const body = await round.payloads(due.jobId);
    const found = webhooks.keys(job.tenantId, due);
    const keys = found instanceof Promise ? await found : found;
    if (signal.aborted) return undefined;
    const at = Date.now();
    const message = { id: messageIdOf(due.jobId), timestampSeconds: Math.floor(at / MS_PER_SECOND), body };
    const headers = { ...HEADERS, ...signedHeaders(message, keys) };
    const answer = await webhooks.client.deliver({ to, headers, body }, cutter);
    if (signal.aborted && answer.kind === 'unanswered') return undefined;
    paces.took(endpointId, answer.durationMs >= SLOW_MS);
    const trial = { attempt: due.attempts + 1, waitsMs: webhooks.retryWaitsMs, random: Math.random() };
    return {
      carrierId: job.id,
      delivery: due,
      verdict: verdictOn(answer, trial),
      attempt: recordOf(answer, at),
    };
  }
}

async function waitFor(
  { gate }: WebhookResources['webhooks'],
  { crowded, signal }: Round,
  name: string,
  most: number,
): Promise<boolean> {
  if (crowded.has(name)) return false;
  const isIn = await gate.enter(name, most, { signal, patienceMs: PATIENCE_MS });
  if (!isIn) crowded.add(name);
  return isIn;
}

/** The `webhook-id`: the event's, so that a receiver knows a repeat whoever carries it. */
function messageIdOf(jobId: string): string {
  return `msg_${jobId}`;
}

function recordOf(answer: Answer, atMs: number): Attempted {
  const { durationMs } = answer;
  if (answer.kind !== 'answered') return { atMs, durationMs, code: answer.code, detail: answer.detail };
  return { atMs, durationMs, status: answer.status, ...(answer.head ? { detail: answer.head } : {}) };
}
