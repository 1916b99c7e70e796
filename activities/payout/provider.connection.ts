/** One call to the payment provider: over a pool of kept connections, within its time, and classified where it fails. */
import { Pool } from 'undici';
import { z } from 'zod';
import { answerFailure, unreadableAnswer } from '../../libs/http/http-failure.js';
import { networkFailure } from '../../libs/http/network-failure.js';
import { Denied, Transient } from '../../libs/saga/failure.js';

/** Well below a step's time box of 60 s: a call that is over leaves time to record it. */
const CALL_MS_MAX = 15_000;
const CONNECT_MS_MAX = 5_000;
const CONNECTIONS_MAX = 16;
const ANSWER_BYTES_MAX = 64 * 1024;
const DETAIL_LENGTH_MAX = 200;

export interface ConnectionOptions {
  readonly url: string;
  /** Shown as `Authorization: Bearer …`. */
  readonly key: string;
  /** From the first byte to the last. */
  readonly callMsMax?: number;
}

export interface Call<T extends z.ZodType> {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below the provider's URL. */
  readonly path: string;
  /** Begins the messages of failures: "The transfer". */
  readonly what: string;
  readonly answer: T;
  readonly signal: AbortSignal;
  readonly body?: object;
  readonly idempotencyKey?: string;
  /** Changes nothing at the provider: its failure leaves no doubt. */
  readonly isRead?: boolean;
}

export interface Connection {
  /** The answer of a 2xx, parsed; `absent` for a 404. Throws what S12 makes of everything else. */
  call<T extends z.ZodType>(call: Call<T>): Promise<z.output<T> | 'absent'>;
  close(): Promise<void>;
}

const ErrorBody = z.object({
  error: z.object({ code: z.string().regex(/^[a-z][a-z0-9_]{0,63}$/), message: z.string().optional() }),
});
const NOT_FOUND = 404;
/** The key came with another body before: our mistake, and something may have been paid under it. */
const KEY_REUSED = 'idempotency_key_reused';

export function openConnection({ url, key, callMsMax = CALL_MS_MAX }: ConnectionOptions): Connection {
  const base = new URL(url);
  const prefix = base.pathname.replace(/\/+$/, '');
  const pool = new Pool(base.origin, {
    connections: CONNECTIONS_MAX,
    connect: { timeout: CONNECT_MS_MAX },
    headersTimeout: callMsMax,
    bodyTimeout: callMsMax,
    maxResponseSize: ANSWER_BYTES_MAX,
  });

  return {
    async call(call) {
      const { what, answer } = call;
      const whenUnknown = call.isRead === true ? 'no' : 'unknown';
      if (call.signal.aborted) throw new Transient('aborted', `${what} was not begun`, { certainty: 'no' });
      const { status, retryAfter, text } = await send(call).catch((error: unknown) => {
        // Undici throws the signal's reason, whatever that is.
        if (!call.signal.aborted) throw networkFailure(error, what, whenUnknown);
        throw new Transient('aborted', `${what} was told to end`, { certainty: whenUnknown, cause: error });
      });
      if (status === 200 || status === 201) {
        const parsed = answer.safeParse(parse(text, what, whenUnknown));
        if (parsed.success) return parsed.data;
        throw unreadableAnswer(what, new Error(z.prettifyError(parsed.error)), whenUnknown);
      }
      if (status === NOT_FOUND) return 'absent';
      const { code, detail } = reasonOf(text);
      const failure = answerFailure({ status, retryAfter, code, detail }, what, { whenUnknown });
      throw code === KEY_REUSED ? new Denied(code, failure.message) : failure;
    },
    close: () => pool.destroy(),
  };

  async function send(call: Call<z.ZodType>) {
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    const response = await pool.request({
      method: call.method,
      path: prefix + call.path,
      headers: {
        accept: 'application/json',
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(call.idempotencyKey === undefined ? {} : { 'idempotency-key': call.idempotencyKey }),
      },
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.any([call.signal, AbortSignal.timeout(callMsMax)]),
    });
    const retryAfter = response.headers['retry-after'];
    return {
      status: response.statusCode,
      retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined,
      text: await response.body.text(),
    };
  }
}

function parse(text: string, what: string, whenUnknown: 'no' | 'unknown'): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw unreadableAnswer(what, error, whenUnknown);
  }
}

/** The provider's reason for its refusal, where it gives one that can be read. */
function reasonOf(text: string): { code: string | undefined; detail: string | undefined } {
  const none = { code: undefined, detail: undefined };
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return none; // a proxy's page: the status says enough
    throw error;
  }
  const parsed = ErrorBody.safeParse(body);
  if (!parsed.success) return none;
  const { code, message } = parsed.data.error;
  return { code, detail: message?.slice(0, DETAIL_LENGTH_MAX) };
}
