/** The step `deliver`: what is due is sent, some at a time; what is to be sent later puts the step off until then. */
import { Deferred, Denied, Rejected, Transient } from '../../libs/saga/failure.js';
import type { CallContext, StepProgress } from '../../libs/saga/implement.js';
import { inTenant } from '../../libs/store/database.js';
import { settled, later, verdictOn, type Verdict } from '../../libs/emails/verdict.js';
import type { EmailRequest } from '../../workflows/email-message.js';
import { openBatchRecorder, type BatchRecorder } from '../batch.recorder.js';
import type { EmailResources } from '../resources.js';
import {
  claimDue,
  closeGate,
  failureOf,
  openGate,
  recordOutcomes,
  release,
  reopenLost,
  standingOf,
  type Claim,
  type ClaimedMessage,
  type Outcome,
  type Standing,
} from './deliveries.store.js';
import { openWriter, type Written } from './writing.js';

/** Taken up together: as many as a killed worker may repeat, with what it had not yet written down. */
const CLAIMED_AT_ONCE_MAX = 100;
const RECORD_LIMITS = { atOnceMax: 100, afterMs: 250, unwrittenMax: 1_000 };
/** A few within the step's heartbeat; each is a call to the engine. */
const HEARTBEAT_EVERY_MS = 2_000;
/** Nothing is begun after that, so that the last answers are in before the step's time box is over. */
const BEGIN_MS_MAX = 120_000;
/** Those whose time comes within so long after the next are sent with it. */
const GATHERED_MS = 500;

export interface DeliveringContext extends Pick<
  CallContext<EmailRequest>,
  'job' | 'input' | 'signal' | 'heartbeat'
> {
  readonly progress: (progress: StepProgress) => void;
}

export type Tally = Pick<Standing, 'sent' | 'suppressed' | 'refused' | 'dead'>;

/**
 * Sends until nothing is open; throws `Deferred` while something is, for as long as nothing may be sent. A job of one
 * message fails with it.
 */
export async function deliverAll(resources: EmailResources, context: DeliveringContext): Promise<Tally> {
  const { job, input } = context;
  const { database } = resources;
  const before = await inTenant(database, job.tenantId, async (tx) => {
    await reopenLost(tx, job.id);
    return standingOf(tx, job.id);
  });
  const closedMs = await deliverDue(resources, context, before);
  const standing = await inTenant(database, job.tenantId, (tx) => standingOf(tx, job.id));
  const { open, nextInMs, ...tally } = standing;
  tell(context, standing);
  if (open > 0) {
    const napMs = Math.max(closedMs, Math.ceil(nextInMs ?? 0), 0) + (closedMs > 0 ? 0 : GATHERED_MS);
    throw new Deferred(napMs, `${open} messages wait for their next attempt`);
  }
  if (input.to !== undefined && tally.refused + tally.dead > 0) {
    const failure = await inTenant(database, job.tenantId, (tx) => failureOf(tx, job.id));
    throw new Rejected(
      failure?.reason ?? 'not_sent',
      `The message was not sent: ${failure?.reply ?? 'no reply is known'}`,
    );
  }
  return tally;
}

/** How far the messages are, and `more` that were settled since. */
function tell({ progress }: DeliveringContext, { open, ...tally }: Standing, more = 0): void {
  const done = tally.sent + tally.suppressed + tally.refused + tally.dead;
  progress({ done: done + more, total: open + done, unit: 'messages' });
}

/** Sends what is due; answers for how long nothing may be sent, 0 where that is up to the messages. */
async function deliverDue(
  resources: EmailResources,
  context: DeliveringContext,
  before: Standing,
): Promise<number> {
  const { smtp } = resources.emails;
  if (!smtp) throw new Denied('email_not_configured', 'No SMTP server is configured (LONGHAUL_SMTP_URL).');
  const { job, signal, heartbeat } = context;
  const beating = setInterval(() => heartbeat(), HEARTBEAT_EVERY_MS);
  let settledSince = 0;
  const recorder = openBatchRecorder<Outcome>(async (batch) => {
    await record(resources, context, batch);
    settledSince += batch.filter(({ verdict }) => verdict.state !== 'open').length;
    tell(context, before, settledSince);
  }, RECORD_LIMITS);
  const round = openRound(resources, context, recorder);
  try {
    // Where one goes wrong the others end what they have begun, and what came of it is written down.
    await Promise.all(
      Array.from({ length: smtp.connections }, () => lane(round, recorder).catch(round.fail)),
    );
    await recorder.drain();
    const left = round.left();
    if (left.length > 0) await inTenant(resources.database, job.tenantId, (tx) => release(tx, job.id, left));
  } finally {
    clearInterval(beating);
  }
  if (round.failure) throw round.failure.error;
  if (signal.aborted) throw new Transient('aborted', 'The messages were told to end', { certainty: 'no' });
  return round.closedMs;
}

interface Round {
  readonly failure: { readonly error: unknown } | undefined;
  readonly closedMs: number;
  readonly fail: (error: unknown) => void;
  next(): Promise<Turn | undefined>;
  attempt(turn: Turn): Promise<Outcome | undefined>;
  /** What was taken up and not begun. */
  left(): readonly ClaimedMessage[];
}

interface Turn {
  readonly message: ClaimedMessage;
  readonly what: Written;
  readonly notBefore: number;
}

async function lane(round: Round, recorder: BatchRecorder<Outcome>): Promise<void> {
  for (let turn = await round.next(); turn; turn = await round.next()) {
    const outcome = await round.attempt(turn);
    if (outcome) await recorder.add(outcome);
  }
}

function openRound(
  resources: EmailResources,
  context: DeliveringContext,
  recorder: BatchRecorder<Outcome>,
): Round {
  const { database, emails } = resources;
  const { job, signal } = context;
  const until = performance.now() + BEGIN_MS_MAX;
  const writer = openWriter(resources, context);
  const unsent = new Set<ClaimedMessage>();
  let turns: Turn[] = [];
  let after = -1;
  let fetching: Promise<void> | undefined;
  let isOver = false;
  let closedMs = 0;
  let failure: { readonly error: unknown } | undefined;
  const mayBegin = (): boolean =>
    !failure && !signal.aborted && !recorder.hasFailed() && performance.now() < until;

  async function fetchTurns(): Promise<void> {
    const claim = await inTenant(database, job.tenantId, (tx) =>
      claimDue(tx, {
        tenantId: job.tenantId,
        jobId: job.id,
        after,
        limit: CLAIMED_AT_ONCE_MAX,
        rates: emails.rates,
      }),
    );
    for (const message of claim.messages) unsent.add(message);
    closedMs = Math.max(closedMs, claim.closedMs);
    isOver = claim.messages.length === 0;
    after = claim.messages.at(-1)?.ordinal ?? after;
    const written = await writer.write(claim.messages);
    turns = turnsOf(claim, written);
  }

  return {
    get failure() {
      return failure;
    },
    get closedMs() {
      return closedMs;
    },
    fail: (error) => void (failure ??= { error }),
    left: () => [...unsent],
    async next() {
      while (turns.length === 0 && !isOver && mayBegin()) {
        await (fetching ??= fetchTurns().finally(() => (fetching = undefined)));
      }
      return mayBegin() ? turns.shift() : undefined;
    },
    async attempt({ message, what, notBefore }) {
      const trial = { attempt: message.attempts + 1, waitsMs: emails.retryWaitsMs, random: Math.random() };
      const outcome = (verdict: Verdict): Outcome => {
        unsent.delete(message);
        return {
          message,
          verdict,
          address: verdict.isBounce && what.kind === 'mail' ? what.address : undefined,
        };
      };
      if (what.kind === 'settled') return outcome(settled(what.state, what.reason, what.reply));
      if (what.kind === 'later') return outcome(later(what.reason, undefined, trial));
      await pause(notBefore - performance.now(), signal);
      if (!mayBegin()) return undefined;
      const answer = await emails.smtp!.send(what.mail);
      if (answer.kind === 'denied')
        throw new Denied('smtp_denied', `The SMTP server does not let us in: ${answer.reply}`);
      if (answer.kind === 'away') {
        closedMs = await inTenant(database, job.tenantId, (tx) => closeGate(tx, answer.reply));
        isOver = true;
        turns = [];
      }
      return outcome(verdictOn(answer, trial));
    },
  };
}

function turnsOf({ messages, firstInMs, everyMs }: Claim, written: ReadonlyMap<number, Written>): Turn[] {
  const now = performance.now();
  return messages.map((message, index) => {
    const what = written.get(message.ordinal);
    if (!what) throw new Error(`message ${message.ordinal} was taken up and not written`);
    return { message, what, notBefore: now + firstInMs + index * everyMs };
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
  });
}

async function record(
  { database, emails }: EmailResources,
  { job }: DeliveringContext,
  outcomes: readonly Outcome[],
): Promise<void> {
  const news = await inTenant(database, job.tenantId, async (tx) => {
    for (const { address, verdict } of outcomes) {
      if (address === undefined) continue;
      await emails.suppressions.add(tx, job.tenantId, { address, reason: 'bounced', detail: verdict.reply });
    }
    // Whatever it says of a message, a server that answers is there.
    if (outcomes.some(({ verdict }) => verdict.isAnswered)) await openGate(tx);
    return recordOutcomes(tx, job.id, outcomes);
  });
  // Another attempt of this job has taken them up meanwhile: two must not go on side by side.
  if (news < outcomes.length) {
    throw new Transient('superseded', 'Another attempt sends these messages', { certainty: 'no' });
  }
}
