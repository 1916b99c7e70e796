/** One POST through undici's dispatcher: no stream is made of an answer that is only looked at. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';

export interface Post {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** What is read of an answer. */
export interface PostAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The first bytes that came of its body. */
  readonly head: Buffer | undefined;
}

export interface PostLimits {
  /** From now to the last byte. */
  readonly msMax: number;
  /** Of the answer's body; what is longer is cut off. */
  readonly answerBytesMax: number;
}

/**
 * Posts. Once the status is there it answers, even where the body breaks off, is too long or too slow; before, it rejects:
 * with a `TimeoutError`, an `AbortError` where `signal` fires, or the network's error.
 */
export function post(
  dispatcher: Dispatcher,
  { url, headers, body }: Post,
  { msMax, answerBytesMax }: PostLimits,
  signal: AbortSignal,
): Promise<PostAnswer> {
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined;
    let reason: Error | undefined;
    let answer: PostAnswer | undefined;
    let bytes = 0;

    const settle = (error: Error | undefined): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      if (answer) resolve(answer);
      else reject(error ?? new Error('The request ended without an answer'));
    };
    const cut = (error: Error): void => {
      reason = error;
      if (controller) controller.abort(error);
      settle(error);
    };
    const onAbort = (): void => cut(new DOMException('It was told to end', 'AbortError'));
    const timer = setTimeout(() => cut(new DOMException('Its time is over', 'TimeoutError')), msMax);
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort);

    const { origin, pathname, search } = url;
    const options = {
      origin,
      path: pathname + search,
      method: 'POST',
      headers: { ...headers },
      body,
    } as const;
    dispatcher.dispatch(options, {
      onRequestStart(started) {
        controller = started;
        if (reason) started.abort(reason);
      },
      onResponseStart(_, status, answered) {
        answer = { status, headers: answered, head: undefined };
      },
      onResponseData(_, chunk) {
        if (answer && bytes === 0) answer = { ...answer, head: chunk };
        bytes += chunk.length;
        if (bytes >= answerBytesMax) cut(new Error(`The answer has more than ${answerBytesMax} bytes`));
      },
      onResponseEnd: () => settle(undefined),
      onResponseError: (_, error) => settle(error),
    });
  });
}
