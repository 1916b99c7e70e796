/** The steps `send` and `deliver`: what is due is sent, many at a time; what is to be sent later puts `deliver` off until then. */
import { Deferred, Transient } from '../../libs/saga/failure.js';
import type { CallContext, StepProgress } from '../../libs/saga/implement.js';
import { inTenant } from '../../libs/store/database.js';
import { cutterOf } from '../../libs/webhooks/cutter.js';
import type { WebhookResources } from '../resources.js';
import { attempt, type Payloads } from './attempt.js';
import {
  dueDeliveries,
  enrollAndPage,
  prepareRound,
  standingOf,
  type Audience,
  type Carrier,
  type DueDelivery,
  type Standing,
} from './deliveries.store.js';

/** Of one job, so that a large event leaves the worker's other jobs their share. */
const AT_ONCE_MAX = 64;
const PAGE_MAX = 1_000;
/** Nothing is begun after that, so that the last answers are in before the step's time box of 60 s is over. */
const BEGIN_MS_MAX = 40_000;
/** Those whose time comes within so long after the next are sent with it. */
const GATHERED_MS = 500;
/** What found no place at its endpoint or host, which is slow, comes again after that: each round costs the engine a step. */
const CROWDED_MS = 5_000;

export interface DeliveringContext extends Pick<CallContext<unknown>, 'job' | 'signal'> {
  readonly progress: (progress: StepProgress) => void;
}

/** What is delivered, and by which step. */
export interface Carrying {
  readonly step: 'send' | 'deliver';
  readonly carries: Carrier['carries'];
  readonly payloads: Payloads;
  /** Whether owners are told of endpoints that it disables. */
  readonly tellsOwners: boolean;
}

export interface Tally {
  readonly delivered: number;
  readonly dead: number;
}

/** Makes an event's deliveries, unless they are there, and sends what is due at once. */
export async function sendFirst(
  resources: WebhookResources,
  context: DeliveringContext,
  carrying: Carrying,
  audience: Audience,
): Promise<Tally & { readonly open: number }> {
  const { database } = resources;
  const { job } = context;
  const { endpoints, page } = await inTenant(database, job.tenantId, (tx) =>
    enrollAndPage(tx, job.id, audience, PAGE_MAX),
  );
  if (endpoints === 0) return sendRound(resources, context, carrying);
  const tally = await deliverDue(resources, context, carrying, page);
  const settled = tally.delivered + tally.dead;
  if (settled < endpoints) return standing(resources, context, carrying);
  context.progress({ done: settled, total: settled, unit: 'deliveries' });
  return { open: 0, delivered: tally.delivered, dead: tally.dead };
}

/** Sends until nothing is open; throws `Deferred` while something is, for as long as nothing is due. */
export async function deliverAll(
  resources: WebhookResources,
  context: DeliveringContext,
  carrying: Carrying,
): Promise<Tally> {
  const { open, delivered, dead, nextInMs, isCrowded } = await sendRound(resources, context, carrying);
  if (open === 0) return { delivered, dead };
  const dueInMs = Math.max(0, Math.ceil(nextInMs ?? 0)) + GATHERED_MS;
  throw new Deferred(
    isCrowded ? Math.max(dueInMs, CROWDED_MS) : dueInMs,
    `${open} deliveries wait for their next attempt`,
  );
}

async function sendRound(
  resources: WebhookResources,
  context: DeliveringContext,
  carrying: Carrying,
): Promise<Standing & { readonly isCrowded: boolean }> {
  const { job } = context;
  await inTenant(resources.database, job.tenantId, (tx) =>
    prepareRound(tx, { id: job.id, carries: carrying.carries }),
  );
  const { isCrowded } = await deliverDue(resources, context, carrying);
  return { ...(await standing(resources, context, carrying)), isCrowded };
}

async function standing(
  { database }: WebhookResources,
  { job, progress }: DeliveringContext,
  { carries }: Carrying,
): Promise<Standing> {
  const now = await inTenant(database, job.tenantId, (tx) => standingOf(tx, { id: job.id, carries }));
  const settled = now.delivered + now.dead;
  progress({ done: settled, total: now.open + settled, unit: 'deliveries' });
  return now;
}

/** Sends what is due, beginning with the page where it is read already. */
async function deliverDue(
  resources: WebhookResources,
  context: DeliveringContext,
  { step, carries, payloads, tellsOwners }: Carrying,
  page?: readonly DueDelivery[],
): Promise<Tally & { readonly isCrowded: boolean }> {
  const until = performance.now() + BEGIN_MS_MAX;
  const { job, signal } = context;
  const next = pagewise(resources, context, { id: job.id, carries }, page);
  const recording = resources.webhooks.recorder.open({ job, step, tellsOwners });
  const round = { job, signal, cutter: cutterOf(signal), payloads, crowded: new Set<string>() };
  const tally = { delivered: 0, dead: 0, open: 0 };
  let failure: { readonly error: unknown } | undefined;
  const mayBegin = (): boolean =>
    !failure && !signal.aborted && !recording.hasFailed() && performance.now() < until;
  const lane = async (): Promise<void> => {
    while (mayBegin()) {
      const due = next() ?? (await next.more());
      if (!due) return;
      const outcome = await attempt(resources, round, due);
      if (!outcome) continue;
      tally[outcome.verdict.state] += 1;
      const isFull = recording.add(outcome);
      if (isFull) await isFull;
    }
  };
  // Where one goes wrong the others end what they have begun, and what came of it is written down.
  const fail = (error: unknown): void => void (failure ??= { error });
  await Promise.all(Array.from({ length: AT_ONCE_MAX }, () => lane().catch(fail)));
  await recording.close();
  if (failure) throw failure.error;
  if (signal.aborted) throw new Transient('aborted', 'The deliveries were told to end', { certainty: 'no' });
  return { delivered: tally.delivered, dead: tally.dead, isCrowded: round.crowded.size > 0 };
}

interface Pages {
  /** The next delivery of the page that is there. */
  (): DueDelivery | undefined;
  /** The first of the next page; undefined once there is none. */
  more(): Promise<DueDelivery | undefined>;
}

/** One delivery after the other, fetched by the page. */
function pagewise(
  { database }: WebhookResources,
  { job }: DeliveringContext,
  carrier: Carrier,
  first: readonly DueDelivery[] | undefined,
): Pages {
  let page = first ?? [];
  let at = 0;
  let fetching: Promise<void> | undefined;
  let isOver = first !== undefined && first.length < PAGE_MAX;

  async function fetchPage(): Promise<void> {
    const after = page.at(-1)?.endpointId;
    page = await inTenant(database, job.tenantId, (tx) =>
      dueDeliveries(tx, carrier, { after, limit: PAGE_MAX }),
    );
    at = 0;
    isOver = page.length < PAGE_MAX;
    fetching = undefined;
  }

  return Object.assign((): DueDelivery | undefined => page[at++], {
    async more() {
      while (at >= page.length && !isOver) await (fetching ??= fetchPage());
      return page[at++];
    },
  });
}
