/** What a worker counts: every attempt, by kind, step and outcome. */
import type { AttemptEvent } from '../../libs/saga/attempt/world.js';
import { Counter, Histogram, type registry as Registry } from '../../libs/telemetry/metrics.js';

const DURATION_BUCKETS_S = [0.01, 0.05, 0.25, 1, 5, 15, 60, 300, 1_800];

export interface WorkerMetrics {
  observe(event: AttemptEvent): void;
}

export function createWorkerMetrics(registry: typeof Registry): WorkerMetrics {
  const attempts = new Counter({
    name: 'longhaul_attempts_total',
    help: 'Attempts of steps, undos and probes that ended, by outcome',
    labelNames: ['kind', 'step', 'role', 'outcome'],
    registers: [registry],
  });
  const durations = new Histogram({
    name: 'longhaul_attempt_duration_seconds',
    help: 'How long attempts took',
    labelNames: ['kind', 'step', 'role'],
    buckets: DURATION_BUCKETS_S,
    registers: [registry],
  });
  return {
    observe({ kind, step, role, what, durationMs }) {
      if (what === 'begin') return;
      attempts.inc({ kind, step, role, outcome: what });
      if (durationMs !== undefined) durations.observe({ kind, step, role }, durationMs / 1_000);
    },
  };
}
