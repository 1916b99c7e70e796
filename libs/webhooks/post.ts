/** One POST through undici's dispatcher: no stream is made of an answer that is only looked at. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import type { Cutter } from './cutter.js';
import type { Destination } from './destination.js';

export interface Post {
  readonly to: Destination;
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
 * with a `TimeoutError`, an `AbortError` where it is cut, or the network's error.
 */
export function post(
  dispatcher: Dispatcher,
  { to, headers, body }: Post,
  limits: PostLimits,
  cutter: Cutter,
): Promise<PostAnswer> {
  return new Promise((resolve, reject) => {
    if (cutter.isCut) {
      reject(toldToEnd());
      return;
    }
    const exchange = new Exchange(limits, cutter, resolve, reject);
    dispatcher.dispatch({ origin: to.origin, path: to.path, method: 'POST', headers, body }, exchange);
  });
}

/** A class: thousands are under way in a second, and a literal of closures costs each of them. */
class Exchange implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | undefined;
  private reason: Error | undefined;
  private status: number | undefined;
  private headers: IncomingHttpHeaders = {};
  private head: Buffer | undefined;
  private bytes = 0;
  private readonly timer: NodeJS.Timeout;
  private readonly onCut = (): void => this.cut(toldToEnd());

  constructor(
    private readonly limits: PostLimits,
    private readonly cutter: Cutter,
    private readonly resolve: (answer: PostAnswer) => void,
    private readonly reject: (error: Error) => void,
  ) {
    this.timer = setTimeout(timeIsOver, limits.msMax, this);
    cutter.add(this.onCut);
  }

  cut(error: Error): void {
    this.reason = error;
    this.controller?.abort(error);
    this.settle(error);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.reason) controller.abort(this.reason);
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    this.status = status;
    this.headers = headers;
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.bytes === 0) this.head = chunk;
    this.bytes += chunk.length;
    const { answerBytesMax } = this.limits;
    if (this.bytes >= answerBytesMax) {
      this.cut(new Error(`The answer has more than ${answerBytesMax} bytes`));
    }
  }

  onResponseEnd(): void {
    this.settle(undefined);
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.settle(error);
  }

  private settle(error: Error | undefined): void {
    clearTimeout(this.timer);
    this.cutter.delete(this.onCut);
    const { status, headers, head } = this;
    if (status !== undefined) this.resolve({ status, headers, head });
    else this.reject(error ?? new Error('The request ended without an answer'));
  }
}

function timeIsOver(exchange: Exchange): void {
  exchange.cut(new DOMException('Its time is over', 'TimeoutError'));
}

function toldToEnd(): Error {
  return new DOMException('It was told to end', 'AbortError');
}
