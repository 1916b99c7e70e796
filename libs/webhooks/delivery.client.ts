/** One POST to an endpoint: over kept connections, to an address that was judged, within its time. */
import { Agent } from 'undici';
import { networkFailure } from '../http/network-failure.js';
import { retryAfterMsOf } from '../http/retry-after.js';
import { Transient } from '../saga/failure.js';
import type { Cutter } from './cutter.js';
import { guardedConnector, type ConnectorOptions } from './guarded-connector.js';
import { post, type Post } from './post.js';
import { redactedHead } from './redact.js';
import { TargetRefused } from './target.js';

const DELIVERY_MS_MAX = 15_000;
const ANSWER_BYTES_MAX = 64 * 1024;
const CONNECTIONS_PER_HOST_MAX = 64;
const KEEP_ALIVE_MS = 10_000;
const DETAIL_LENGTH_MAX = 200;

/** What came of it. */
export type Answer =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly retryAfterMs: number | undefined;
      /** Of what is no success: its beginning, redacted. */
      readonly head: string | undefined;
      readonly durationMs: number;
    }
  | {
      /** `refused`: no connection was made, because the address is not one a webhook may go to. */
      readonly kind: 'unanswered' | 'refused';
      /** snake_case. */
      readonly code: string;
      readonly detail: string;
      readonly durationMs: number;
    };

export interface DeliveryClient {
  /** Posts. Redirects are not followed; what is cut ends as `unanswered`. Throws for a mistake of ours alone. */
  deliver(delivery: Post, cutter: Cutter): Promise<Answer>;
  /** Cuts what is under way. */
  close(): Promise<void>;
}

export interface DeliveryClientOptions extends ConnectorOptions {
  /** From the first byte to the last. */
  readonly deliveryMsMax?: number;
}

/** Proxies that the environment names are not used: they would dial for us, unjudged. */
export function createDeliveryClient({
  deliveryMsMax = DELIVERY_MS_MAX,
  ...options
}: DeliveryClientOptions): DeliveryClient {
  const agent = new Agent({
    connect: guardedConnector(options),
    connections: CONNECTIONS_PER_HOST_MAX,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // One time limit holds for all of it.
    headersTimeout: 0,
    bodyTimeout: 0,
  });

  const limits = { msMax: deliveryMsMax, answerBytesMax: ANSWER_BYTES_MAX };

  return {
    async deliver(delivery, cutter) {
      const startedAt = performance.now();
      const took = (): number => Math.round(performance.now() - startedAt);
      try {
        const answer = await post(agent, delivery, limits, cutter);
        const { status } = answer;
        if (isSuccess(status)) return { ...SUCCESS, status, durationMs: took() };
        return {
          kind: 'answered',
          status,
          retryAfterMs: retryAfterMsOf(answer.headers['retry-after'], Date.now()),
          head: redactedHead(answer.head?.toString('utf8') ?? ''),
          durationMs: took(),
        };
      } catch (error) {
        return { ...failureOf(error), durationMs: took() };
      }
    },
    close: () => agent.destroy(),
  };
}

/** Nothing else of it counts. */
const SUCCESS = { kind: 'answered', retryAfterMs: undefined, head: undefined } as const;

export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

function failureOf(error: unknown): { kind: 'unanswered' | 'refused'; code: string; detail: string } {
  if (error instanceof TargetRefused)
    return { kind: 'refused', code: 'target_refused', detail: error.message };
  const failure = networkFailure(error, 'The delivery');
  if (!(failure instanceof Transient)) throw error;
  return { kind: 'unanswered', code: failure.code, detail: failure.message.slice(0, DETAIL_LENGTH_MAX) };
}
