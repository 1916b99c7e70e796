/** What the relay shows of itself. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { OutboxMeasure, ParkMeasure } from './outbox.store.js';

export interface RelayMetrics {
  readonly dispatched: Counter<'message' | 'outcome'>;
  readonly failures: Counter<'message' | 'class'>;
  readonly batchSeconds: Histogram;
  readonly engineUp: Gauge;
  readonly databaseUp: Gauge;
  readonly findings: Gauge<'finding'>;
  readonly mended: Counter<'finding'>;
  readonly swept: Counter<'what'>;
  /** Takes over what waits now. Between two measures, and with the database away, the age goes on growing. */
  observeOutbox(measure: OutboxMeasure): void;
  /** Takes over how many jobs wait for a person, and since when. */
  observeParks(measure: ParkMeasure): void;
}

/** Registers the relay's metrics. */
export function createRelayMetrics(
  registry: Registry,
  now: () => number = () => performance.now(),
): RelayMetrics {
  const registers = [registry];
  let oldestSinceMs: number | undefined;
  new Gauge({
    name: 'longhaul_outbox_oldest_unsent_age_seconds',
    help: 'Age of the oldest outbox row that was not sent to the engine; 0 when there is none.',
    registers,
    collect() {
      this.set(oldestSinceMs === undefined ? 0 : (now() - oldestSinceMs) / 1000);
    },
  });
  const unsent = new Gauge({
    name: 'longhaul_outbox_unsent_rows',
    help: 'Outbox rows not sent yet.',
    registers,
  });
  const failing = new Gauge({
    name: 'longhaul_outbox_failing_rows',
    help: 'Unsent outbox rows that the engine, or our own encryption, refused at least once.',
    registers,
  });
  const parked = new Gauge({
    name: 'longhaul_parked_jobs',
    help: 'Jobs that wait for a person to decide.',
    registers,
  });
  const parkedAge = new Gauge({
    name: 'longhaul_parked_oldest_age_seconds',
    help: 'For how long the job that was parked first has waited; 0 when there is none.',
    registers,
  });
  return {
    dispatched: new Counter({
      name: 'longhaul_relay_dispatched_total',
      help: 'Outbox rows done with, by message and outcome.',
      labelNames: ['message', 'outcome'],
      registers,
    }),
    failures: new Counter({
      name: 'longhaul_relay_failures_total',
      help: 'Attempts to send an outbox row that failed, by message and class.',
      labelNames: ['message', 'class'],
      registers,
    }),
    batchSeconds: new Histogram({
      name: 'longhaul_relay_batch_seconds',
      help: 'Duration of a batch that held rows, from claim to commit.',
      buckets: [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30],
      registers,
    }),
    engineUp: new Gauge({
      name: 'longhaul_relay_engine_up',
      help: '1 while the engine takes starts.',
      registers,
    }),
    databaseUp: new Gauge({
      name: 'longhaul_relay_database_up',
      help: '1 while the database answers the relay.',
      registers,
    }),
    findings: new Gauge({
      name: 'longhaul_reconciler_findings',
      help: 'Jobs and workflows that did not agree at the last reconciliation, by finding.',
      labelNames: ['finding'],
      registers,
    }),
    mended: new Counter({
      name: 'longhaul_reconciler_mended_total',
      help: 'Disagreements the reconciler put right, by finding.',
      labelNames: ['finding'],
      registers,
    }),
    swept: new Counter({
      name: 'longhaul_relay_swept_total',
      help: 'What the sweepers removed.',
      labelNames: ['what'],
      registers,
    }),
    observeParks: ({ open, oldestAgeMs }) => {
      parked.set(open);
      parkedAge.set((oldestAgeMs ?? 0) / 1000);
    },
    observeOutbox: (measure) => {
      unsent.set(measure.unsent);
      failing.set(measure.failing);
      oldestSinceMs = measure.oldestAgeMs === undefined ? undefined : now() - measure.oldestAgeMs;
    },
  };
}
