/** What a server's answer means for a message. Pure. */
import type { SmtpAnswer } from './smtp.client.js';

/** Jitter: so many hundredths of the wait at most. */
const JITTER_HUNDREDTHS = 10;
/** RFC 3463: of the mailbox (X.1.x), not of the message, the connection or the policy. */
const OF_THE_MAILBOX = /^5\d\d[ -]5\.1\.(?:1|2|3|6|10)\b/;

export type DeliveryState = 'open' | 'sent' | 'refused' | 'suppressed' | 'dead';

export interface Verdict {
  readonly state: DeliveryState;
  /** Until the next attempt; 0 where there is none. */
  readonly delayMs: number;
  /** snake_case; of what is not sent. */
  readonly reason: string | undefined;
  readonly reply: string | undefined;
  /** Whether it is one of the attempts there are. */
  readonly isAttempt: boolean;
  /** The server may have it. */
  readonly isDoubtful: boolean;
  /** The server answered: it is there. */
  readonly isAnswered: boolean;
  /** Nobody is there any more: nothing is to be sent to the address. */
  readonly isBounce: boolean;
}

export interface Trial {
  /** From 1; the one that was answered so. */
  readonly attempt: number;
  /** The wait after each attempt; after as many, and one more, it is given up. */
  readonly waitsMs: readonly number[];
  /** 0 ≤ x < 1. */
  readonly random: number;
}

type Said = Exclude<SmtpAnswer, { readonly kind: 'denied' }>;

export function verdictOn(answer: Said, trial: Trial): Verdict {
  const { reply } = answer;
  switch (answer.kind) {
    case 'taken':
      return { ...settled('sent', undefined, reply), isAnswered: true };
    case 'away':
      // The server's trouble, and not the message's: it costs no attempt.
      return { ...settled('open', answer.code, reply), isAttempt: false };
    case 'cut':
      return later('connection_lost', reply, trial, answer.isDoubtful);
    case 'refused':
      return { ...refusal(answer, trial), isAnswered: true };
  }
}

function refusal({ status, reply }: Extract<Said, { kind: 'refused' }>, trial: Trial): Verdict {
  if (status < 500) return later(`smtp_${status}`, reply, trial);
  return { ...settled('refused', `smtp_${status}`, reply), isBounce: OF_THE_MAILBOX.test(reply) };
}

/** A verdict of our own, without a server's. */
export function settled(state: DeliveryState, reason?: string, reply?: string): Verdict {
  return {
    state,
    delayMs: 0,
    reason,
    reply,
    isAttempt: true,
    isDoubtful: false,
    isAnswered: false,
    isBounce: false,
  };
}

/** To be tried again, or given up after all attempts. */
export function later(
  reason: string,
  reply: string | undefined,
  { attempt, waitsMs, random }: Trial,
  isDoubtful = false,
): Verdict {
  const waitMs = waitsMs[attempt - 1];
  if (waitMs === undefined) return { ...settled('dead', 'attempts_exhausted', reply), isDoubtful };
  const delayMs = Math.round(waitMs * (1 + Math.floor(random * JITTER_HUNDREDTHS) / 100));
  return { ...settled('open', reason, reply), delayMs, isDoubtful };
}
