/**
 * Makes the load that a bench describes in its argument, and prints the result as JSON. At saturation autocannon sends
 * the next request on a connection when the one before was answered; at a rate undici sends each when it is due.
 */
import autocannon from 'autocannon';
import { Pool } from 'undici';
import { poissonArrivals, sendWhenDue } from './support/arrivals.js';
import { NUMBER, type Load, type LoadResult } from './support/load.js';
import { quantile } from './support/statistics.js';

const ACCEPTED = 202;
const MS_PER_SECOND = 1_000;
const MICROSECONDS_PER_SECOND = 1e6;
/** Connections are opened and code is compiled before anything counts. */
const WARM_UP_SECONDS = 1;

const load = JSON.parse(process.argv[2] ?? '') as Load;
const [before = '', after = ''] = load.body.split(NUMBER);
const headers = { 'content-type': 'application/json', ...load.headers };
let number = load.firstNumber;
const cpuBefore = process.cpuUsage();
const nextBody = (): string => `${before}${(number += 1)}${after}`;

const result = load.rate === undefined ? await saturate(load) : await keepRate(load, load.rate);
process.stdout.write(JSON.stringify(result));

async function saturate({ url, connections, seconds }: Load): Promise<LoadResult> {
  const startedAt = performance.now();
  let lastAt = startedAt;
  const latenciesMs: number[] = [];
  const others = new Map<number, number>();
  const { errors } = await new Promise<autocannon.Result>((resolve, reject) => {
    const running = autocannon(
      {
        url,
        method: 'POST',
        headers,
        connections,
        duration: seconds,
        requests: [{ setupRequest: (request) => ({ ...request, body: nextBody() }) }],
      },
      (error: Error | null, done) => (error ? reject(error) : resolve(done)),
    );
    running.on('response', (_client, status, _bytes, ms) => {
      lastAt = performance.now();
      latenciesMs.push(ms);
      if (status !== ACCEPTED) others.set(status, (others.get(status) ?? 0) + 1);
    });
  });
  if (others.size > 0 || errors > 0) {
    const answers = [...others].map(([status, count]) => `${count} × ${status}`).join(', ');
    throw new Error(`expected ${ACCEPTED} only, got ${answers || 'none else'} and ${errors} errors`);
  }
  return summarise(latenciesMs, lastAt - startedAt);
}

async function keepRate({ url, connections, seconds }: Load, rate: number): Promise<LoadResult> {
  const { origin, pathname } = new URL(url);
  const pool = new Pool(origin, { connections, pipelining: 1 });
  const send = async (): Promise<void> => {
    const { statusCode, body } = await pool.request({
      path: pathname,
      method: 'POST',
      headers,
      body: nextBody(),
    });
    await body.dump();
    if (statusCode !== ACCEPTED) throw new Error(`expected ${ACCEPTED}, got ${statusCode}`);
  };
  await sendWhenDue(poissonArrivals(rate, WARM_UP_SECONDS), send);
  const startedAt = performance.now();
  const latenciesMs = await sendWhenDue(poissonArrivals(rate, seconds), send);
  const tookMs = performance.now() - startedAt;
  await pool.close();
  return summarise(latenciesMs, tookMs);
}

function summarise(latenciesMs: readonly number[], tookMs: number): LoadResult {
  const { user, system } = process.cpuUsage(cpuBefore);
  return {
    requests: latenciesMs.length,
    rate: latenciesMs.length / (tookMs / MS_PER_SECOND),
    p50Ms: quantile(latenciesMs, 0.5),
    p95Ms: quantile(latenciesMs, 0.95),
    p99Ms: quantile(latenciesMs, 0.99),
    cpuSeconds: (user + system) / MICROSECONDS_PER_SECOND,
  };
}
