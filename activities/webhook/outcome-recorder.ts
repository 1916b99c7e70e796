/**
 * Outcomes of all deliveries of a process on their way to the database: those of a tenant's events are written together,
 * some hundred in a statement.
 */
import { Transient } from '../../libs/saga/failure.js';
import type { JobRef } from '../../libs/saga/implement.js';
import type { ChildJobs } from '../../libs/saga/child-jobs.js';
import { inTenant, type Database } from '../../libs/store/database.js';
import { webhookFanout } from '../../workflows/webhook-fanout.job.js';
import { recordHealth, recordOutcomes, type DisabledEndpoint, type Outcome } from './outcomes.store.js';

/** Written in one statement, or as many as there are after so long. */
const RECORDED_AT_ONCE_MAX = 500;
const RECORD_AFTER_MS = 250;
/** Of a tenant: beyond it nothing more is sent until they are written. */
const UNWRITTEN_MAX = 4_000;

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
  pending: Pending[];
  timer: NodeJS.Timeout | undefined;
  /** What is being written, and is to be written after it. */
  writing: Promise<void>;
  /** In those writes. */
  unwritten: number;
  /** Open recordings: without any, it is forgotten. */
  users: number;
}

export function createOutcomeRecorder(database: Database, children: ChildJobs): OutcomeRecorder {
  const lanes = new Map<string, Lane>();

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

  function flush(tenantId: string, lane: Lane): Promise<void> {
    clearTimeout(lane.timer);
    lane.timer = undefined;
    const batch = lane.pending;
    lane.pending = [];
    if (batch.length === 0) return lane.writing;
    lane.unwritten += batch.length;
    lane.writing = lane.writing
      .then(() => write(tenantId, batch))
      .then(() => {
        lane.unwritten -= batch.length;
      });
    return lane.writing;
  }

  return {
    open(delivering) {
      const { tenantId } = delivering.job;
      const lane = lanes.get(tenantId) ?? {
        pending: [],
        timer: undefined,
        writing: Promise.resolve(),
        unwritten: 0,
        users: 0,
      };
      lanes.set(tenantId, lane);
      lane.users += 1;
      const recording: OpenRecording = { delivering, failure: undefined };
      return {
        add(outcome) {
          lane.pending.push({ outcome, recording });
          if (lane.pending.length < RECORDED_AT_ONCE_MAX) {
            lane.timer ??= setTimeout(() => void flush(tenantId, lane), RECORD_AFTER_MS);
            return undefined;
          }
          const written = flush(tenantId, lane);
          return lane.unwritten > UNWRITTEN_MAX ? written : undefined;
        },
        hasFailed: () => recording.failure !== undefined,
        async close() {
          await flush(tenantId, lane);
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
