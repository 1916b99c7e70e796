/** Requests over HTTP by autocannon: as many as are answered, or as many as are asked for. */
import autocannon from 'autocannon';
import { quantile } from './statistics.js';

export interface Load {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** A fresh body for each request. */
  readonly body: () => string;
  readonly connections: number;
  readonly seconds: number;
  /** Requests a second over all connections; without it, as fast as they are answered. */
  readonly rate?: number;
  readonly signal: AbortSignal;
}

export interface LoadResult {
  /** Answers a second. */
  readonly rate: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
}

/** Throws unless every answer was 202. */
export async function applyLoad({
  url,
  headers,
  body,
  connections,
  seconds,
  rate,
  signal,
}: Load): Promise<LoadResult> {
  const latenciesMs: number[] = [];
  const startedAt = performance.now();
  let lastAt = startedAt;
  const others = new Map<number, number>();
  const { errors } = await new Promise<autocannon.Result>((resolve, reject) => {
    const running = autocannon(
      {
        url,
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        connections,
        duration: seconds,
        ...(rate === undefined ? {} : { overallRate: rate }),
        requests: [{ setupRequest: (request) => ({ ...request, body: body() }) }],
      },
      (error: Error | null, result) => (error ? reject(error) : resolve(result)),
    );
    running.on('response', (_client, status, _bytes, ms) => {
      lastAt = performance.now();
      latenciesMs.push(ms);
      if (status !== 202) others.set(status, (others.get(status) ?? 0) + 1);
    });
    signal.addEventListener('abort', () => running.stop(), { once: true });
  });
  signal.throwIfAborted();
  if (others.size > 0 || errors > 0) {
    const answers = [...others].map(([status, count]) => `${count} × ${status}`).join(', ');
    throw new Error(`${url}: expected 202 only, got ${answers || 'none else'} and ${errors} errors`);
  }
  return {
    rate: latenciesMs.length / ((lastAt - startedAt) / 1_000),
    p50Ms: quantile(latenciesMs, 0.5),
    p95Ms: quantile(latenciesMs, 0.95),
  };
}
