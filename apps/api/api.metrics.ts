/** What the API measures. Labels have few values: route patterns and outcomes, never ids. */
import { Counter, Gauge, Histogram, registry } from '../../libs/telemetry/metrics.js';

const registers = [registry];
const LATENCY_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

export const requestSeconds = new Histogram({
  name: 'longhaul_api_request_seconds',
  help: 'Time to answer, by route pattern and status; event streams and Prefer: wait last as long as they are asked to',
  labelNames: ['method', 'route', 'status'],
  buckets: LATENCY_BUCKETS_SECONDS,
  registers,
});

export const acceptedJobs = new Counter({
  name: 'longhaul_api_submissions_total',
  help: 'Submitted jobs by kind and outcome: accepted, duplicate, conflict, invalid, replayed',
  labelNames: ['kind', 'outcome'],
  registers,
});

export const batchRequests = new Histogram({
  name: 'longhaul_api_acceptance_batch_requests',
  help: 'Requests that were accepted in one round trip',
  buckets: [1, 2, 5, 10, 20, 50, 100],
  registers,
});

export const stateQueries = new Counter({
  name: 'longhaul_api_state_queries_total',
  help: 'Workflow state queries by outcome: answered, missed',
  labelNames: ['outcome'],
  registers,
});

export const openStreams = new Gauge({
  name: 'longhaul_api_event_streams',
  help: 'Open event streams',
  registers,
});

export const watchedJobs = new Gauge({
  name: 'longhaul_api_watched_jobs',
  help: 'Jobs the shared watcher looks after',
  registers,
});
