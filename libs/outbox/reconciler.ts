/**
 * Compares jobs with workflows, both ways, and says where they do not agree. In this form it mends what is safe by
 * itself (a start that never became a workflow; a cancelled job whose workflow goes on) and reports the rest;
 * compensating from the ledger what was terminated by hand or lost with its history is not in it yet.
 */
import type { Logger } from 'pino';
import type { Database } from '../store/database.js';
import type { EngineClient } from '../temporal/connection.js';
import { classifyEngineError } from '../temporal/engine.error.js';
import { jobIdOfWorkflow } from '../temporal/workflow-id.js';
import { mapBounded } from './bounded.js';
import { CANCEL_SIGNAL, type CancelSignal } from './dispatcher.js';
import { createEngineView, type EngineView, type WorkflowState } from './reconciler.engine.js';
import {
  fatesOf,
  fillDispatched,
  listOpenJobs,
  resendStart,
  stillOpen,
  type OpenJob,
} from './reconciler.store.js';
import type { RelayMetrics } from './relay.metrics.js';

/**
 * `not_started`: a job, untouched, without a workflow: its start is sent again.
 * `lost`: a job that had begun, without a workflow or its history.
 * `terminated`: its workflow was ended by hand, so no code of ours ran.
 * `closed_without_end`: its workflow closed and recorded no end.
 * `blocked`: a task of its workflow fails again and again: a programming error in a definition.
 * `unknown_job`: a workflow of ours that no job knows.
 * `open_after_end`: a workflow that goes on although its job has ended.
 */
export const FINDINGS = [
  'not_started',
  'lost',
  'terminated',
  'closed_without_end',
  'blocked',
  'unknown_job',
  'open_after_end',
] as const;
export type FindingName = (typeof FINDINGS)[number];

export interface Finding {
  readonly finding: FindingName;
  readonly workflowId: string;
  readonly kind?: string;
  readonly mended: boolean;
}

export interface ReconcileLimits {
  /** How long after its start was sent, or its end was recorded, a job may disagree with its workflow. */
  readonly settledMs: number;
  readonly pageSize: number;
  readonly pagesMax: number;
  readonly concurrencyMax: number;
  readonly callTimeoutMs: number;
  /** Workflow tasks failed in a row from which a workflow counts as blocked. */
  readonly blockedFromAttempts: number;
  /** Findings kept and logged in one run; the metrics count all. */
  readonly findingsMax: number;
}

export const RECONCILE_LIMITS: ReconcileLimits = {
  settledMs: 30_000,
  pageSize: 200,
  pagesMax: 500,
  concurrencyMax: 8,
  callTimeoutMs: 10_000,
  blockedFromAttempts: 3,
  findingsMax: 100,
};

export interface Reconciler {
  readonly database: Database;
  readonly engine: EngineClient;
  readonly logger: Logger;
  readonly metrics: RelayMetrics;
  readonly limits: ReconcileLimits;
}

export interface Reconciliation {
  readonly findings: readonly Finding[];
  readonly counts: Readonly<Record<FindingName, number>>;
  readonly jobsSeen: number;
  readonly workflowsSeen: number;
}

const NO_ID = '00000000-0000-0000-0000-000000000000';
const FILL_MAX = 10_000;
/** Set by the server (1.30 and later) on workflows whose tasks fail repeatedly. */
const REPORTED_PROBLEMS = 'TemporalReportedProblems IS NOT NULL';

/** One comparison. Throws when database or engine are away; what it did until then stands. */
export async function reconcile(reconciler: Reconciler): Promise<Reconciliation> {
  const { limits, logger, metrics, engine } = reconciler;
  const view = createEngineView(engine, limits.callTimeoutMs, limits.pageSize);
  const counts = Object.fromEntries(FINDINGS.map((name) => [name, 0])) as Record<FindingName, number>;
  const findings: Finding[] = [];
  const report = (finding: Finding): void => {
    counts[finding.finding] += 1;
    if (finding.mended) metrics.mended.inc({ finding: finding.finding });
    if (findings.length >= limits.findingsMax) return;
    findings.push(finding);
    logger[finding.mended ? 'warn' : 'error'](finding, 'A job and its workflow do not agree');
  };

  await fillDispatched(reconciler.database, FILL_MAX);
  const jobsSeen = await compareJobs(reconciler, view, report);
  const workflowsSeen = await compareWorkflows(reconciler, view, report);
  await findBlocked(reconciler, view, report);

  for (const name of FINDINGS) metrics.findings.set({ finding: name }, counts[name]);
  return { findings, counts, jobsSeen, workflowsSeen };
}

type Report = (finding: Finding) => void;

/** From the jobs' side: every open job whose start was sent must have a workflow that runs. */
async function compareJobs(reconciler: Reconciler, view: EngineView, report: Report): Promise<number> {
  const { database, limits } = reconciler;
  let afterId = NO_ID;
  let seen = 0;
  for (let page = 0; page < limits.pagesMax; page += 1) {
    const jobs = await listOpenJobs(database, afterId, limits.settledMs, limits.pageSize);
    seen += jobs.length;
    const running = await view.runningAmong(jobs.map((job) => job.id));
    await judgeMissing(
      reconciler,
      view,
      jobs.filter((job) => !running.has(job.id)),
      report,
    );
    const last = jobs.at(-1);
    if (last === undefined || jobs.length < limits.pageSize) break;
    afterId = last.id;
  }
  return seen;
}

async function judgeMissing(
  { database, limits }: Reconciler,
  view: EngineView,
  jobs: readonly OpenJob[],
  report: Report,
): Promise<void> {
  if (jobs.length === 0) return;
  const states = await describeAll(
    view,
    jobs.map((job) => job.id),
    limits.concurrencyMax,
  );
  const open = await stillOpen(
    database,
    jobs.map((job) => job.id),
  );
  for (const job of jobs) {
    const state = states.get(job.id);
    if (state === undefined || state.is === 'running' || !open.has(job.id)) continue;
    const about = { workflowId: job.id, kind: job.kind };
    if (state.is === 'absent' && job.untouched) {
      report({ finding: 'not_started', ...about, mended: await resendStart(database, job.id) });
    } else if (state.is === 'absent') {
      report({ finding: 'lost', ...about, mended: false });
    } else {
      report({
        finding: state.is === 'terminated' ? 'terminated' : 'closed_without_end',
        ...about,
        mended: false,
      });
    }
  }
}

/** From the workflows' side: every one that runs must have a job, and one that is open. */
async function compareWorkflows(reconciler: Reconciler, view: EngineView, report: Report): Promise<number> {
  const { database, engine, limits } = reconciler;
  let seen = 0;
  for await (const ids of runningPages(view, undefined, limits.pagesMax)) {
    seen += ids.length;
    const jobIds = ids.flatMap((id) => jobIdOfWorkflow(id) ?? []);
    const fates = await fatesOf(database, jobIds);
    for (const workflowId of ids) {
      const fate = fates.get(jobIdOfWorkflow(workflowId) ?? '');
      if (fate === undefined) {
        // Whoever started it may know; ending what we do not understand is nobody's mending.
        report({ finding: 'unknown_job', workflowId, mended: false });
      } else if (fate.endedMsAgo !== null && fate.endedMsAgo > limits.settledMs) {
        if ((await view.describe(workflowId)).is !== 'running') continue;
        const mended =
          fate.status === 'CANCELLED' && (await cancel(engine, workflowId, limits.callTimeoutMs));
        report({ finding: 'open_after_end', workflowId, mended });
      }
    }
  }
  return seen;
}

/** A cancel that ended the job before its start was known to have landed: the workflow is told as well. */
async function cancel(engine: EngineClient, workflowId: string, timeoutMs: number): Promise<boolean> {
  const argument: CancelSignal = { reason: 'The job was cancelled before it was started.' };
  try {
    await engine.connection.withDeadline(Date.now() + timeoutMs, () =>
      engine.client.workflow.getHandle(workflowId).signal(CANCEL_SIGNAL, argument),
    );
    return true;
  } catch (error) {
    if (classifyEngineError(error) === 'not_found') return false;
    throw error;
  }
}

async function findBlocked({ limits, logger }: Reconciler, view: EngineView, report: Report): Promise<void> {
  try {
    for await (const ids of runningPages(view, REPORTED_PROBLEMS, limits.pagesMax)) {
      const states = await describeAll(view, ids, limits.concurrencyMax);
      for (const [workflowId, state] of states) {
        if (state.is === 'running' && state.failedTaskAttempts >= limits.blockedFromAttempts) {
          report({ finding: 'blocked', workflowId, mended: false });
        }
      }
    }
  } catch (error) {
    if (classifyEngineError(error) !== 'refused') throw error;
    logger.warn('This engine does not report failing workflow tasks; blocked workflows are not found.');
  }
}

async function* runningPages(
  view: EngineView,
  narrowedBy: string | undefined,
  pagesMax: number,
): AsyncGenerator<readonly string[]> {
  let page: Uint8Array | undefined;
  for (let count = 0; count < pagesMax; count += 1) {
    const { ids, next } = await view.listRunning(narrowedBy, page);
    yield ids;
    if (next === undefined) return;
    page = next;
  }
}

async function describeAll(
  view: EngineView,
  workflowIds: readonly string[],
  concurrencyMax: number,
): Promise<Map<string, WorkflowState>> {
  let failure: Error | undefined;
  const states = new Map<string, WorkflowState>();
  await mapBounded(
    workflowIds,
    concurrencyMax,
    async (id) => {
      try {
        states.set(id, await view.describe(id));
      } catch (error) {
        failure ??= error instanceof Error ? error : new Error(String(error));
      }
    },
    () => failure === undefined,
  );
  if (failure) throw failure;
  return states;
}
