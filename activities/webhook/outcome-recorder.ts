/**
 * Outcomes of all deliveries of a process on their way to the database: those of a tenant's events are written together,
 * some hundred in a statement.
 */
import { Transient } from '../../libs/saga/failure.js';
import type { JobRef } from '../../libs/saga/implement.js';
import type { ChildJobs } from '../../libs/saga/child-jobs.js';
import { inTenant, type Database } from '../../libs/store/database.js';
import { webhookFanout } from '../../workflows/webhook-fanout.job.js';
import { openBatchRecorder, type BatchRecorder } from '../batch.recorder.js';
import { recordHealth, recordOutcomes, type DisabledEndpoint, type Outcome } from './outcomes.store.js';

/** Of a tenant. */
const RECORD_LIMITS = { atOnceMax: 500, afterMs: 250, unwrittenMax: 4_000 };

/** The step that delivers. */
export interface Delivering {
  readonly job: JobRef;
  readonly step: string;
  /** Whether owners are told of endpoints that its deliveries disable. */
  readonly tellsOwners: boolean;
}

export interface OutcomeRecorder {
  open(delivering: Delivering): Recording;
}

/** The outcomes of one attempt of a step. */
export interface Recording {
  /** Resolves at once, unless too many wait to be written. */
  add(outcome: Outcome): Promise<void> | undefined;
  /** Outcomes could not be written down: nothing more may be begun. */
  hasFailed(): boolean;
  /** Resolves once the rest is written; throws what went wrong. */
  close(): Promise<void>;
}

interface Pending {
  readonly outcome: Outcome;
  readonly recording: OpenRecording;
}

interface OpenRecording {
  readonly delivering: Delivering;
  failure: { readonly error: unknown } | undefined;
}

/** Outcomes of a tenant. */
interface Lane {
  readonly recorder: BatchRecorder<Pending>;
  /** Open recordings: without any, it is forgotten. */
  users: number;
}

export function createOutcomeRecorder(database: Database, children: ChildJobs): OutcomeRecorder {
  const lanes = new Map<string, Lane>();

  /** What goes wrong is told to those whose outcomes they are. */
  async function write(tenantId: string, batch: readonly Pending[]): Promise<void> {
    const { first, again } = withoutRepeats(batch);
    fail(again, superseded());
    try {
      const outcomes = first.map(({ outcome }) => outcome);
      const news = await inTenant(database, tenantId, async (tx) => {
        const disabled = await recordHealth(tx, outcomes);
        for (const [{ job, step }, endpoints] of toBeTold(disabled, first)) {
          await children.start(tx, { job, step, generation: 0 }, webhookFanout, endpoints.map(disabledEvent));
        }
        return recordOutcomes(tx, outcomes);
      });
      for (const [jobId, its] of Map.groupBy(first, ({ outcome }) => outcome.carrierId)) {
        if ((news.get(jobId) ?? 0) < its.length) fail(its, superseded());
      }
    } catch (error) {
      fail(first, error);
    }
  }

  return {
    open(delivering) {
      const { tenantId } = delivering.job;
      const lane = lanes.get(tenantId) ?? {
        recorder: openBatchRecorder<Pending>((batch) => write(tenantId, batch), RECORD_LIMITS),
        users: 0,
      };
      lanes.set(tenantId, lane);
      lane.users += 1;
      const recording: OpenRecording = { delivering, failure: undefined };
      return {
        add: (outcome) => lane.recorder.add({ outcome, recording }),
        hasFailed: () => recording.failure !== undefined,
        async close() {
          await lane.recorder.drain();
          lane.users -= 1;
          if (lane.users === 0) lanes.delete(tenantId);
          if (recording.failure) throw recording.failure.error;
        },
      };
    },
  };
}

function fail(those: readonly Pending[], error: unknown): void {
  for (const { recording } of those) recording.failure ??= { error };
}

/** Two attempts of a step in one process may both have sent a delivery: one of them records it. */
function withoutRepeats(batch: readonly Pending[]): { first: Pending[]; again: Pending[] } {
  const seen = new Set<string>();
  const first: Pending[] = [];
  const again: Pending[] = [];
  for (const pending of batch) {
    const { jobId, endpointId } = pending.outcome.delivery;
    const name = `${jobId}/${endpointId}`;
    (seen.has(name) ? again : first).push(pending);
    seen.add(name);
  }
  return { first, again };
}

/** Another attempt of this job has sent them meanwhile: two must not go on side by side. */
function superseded(): Transient {
  return new Transient('superseded', 'Another attempt records these deliveries', { certainty: 'no' });
}

/** The endpoints that are disabled from now on, under the event by which each was. */
function toBeTold(
  disabled: readonly DisabledEndpoint[],
  batch: readonly Pending[],
): ReadonlyMap<Delivering, readonly DisabledEndpoint[]> {
  const byWhom = new Map(
    batch.map(({ outcome, recording }) => [outcome.delivery.endpointId, recording.delivering]),
  );
  const told = disabled.filter(({ id }) => byWhom.get(id)?.tellsOwners);
  return Map.groupBy(told, ({ id }) => byWhom.get(id) as Delivering);
}

/** The operational event by which an endpoint's owner is told. */
function disabledEvent({ id, url, reason }: DisabledEndpoint): object {
  return {
    event: `endpoint-disabled/${id}/${Date.now()}`,
    type: 'longhaul.webhook_endpoint.disabled',
    data: { endpoint: id, url, reason },
  };
}
