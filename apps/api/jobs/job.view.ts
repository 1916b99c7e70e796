/** Makes the job that clients see of what is stored and what its workflow says. Pure. */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../../../libs/saga/digest.js';
import type { AnyJobDefinition, AnyStep } from '../../../libs/saga/define.js';
import type { EffectRecord, JobRecord } from '../../../libs/store/jobs.store.js';
import type { Answered } from '../engine/state-queries.js';
import type { QueriedState } from '../engine/state.schema.js';
import { isTerminal, type Job, type StepView } from './job.schema.js';
import { latestEffects, progressOf } from './job.progress.js';
import { StoredView } from './stored-view.js';

/** A job without its revision, which the store gives. */
export type JobSight = Omit<Job, 'revision'>;

export interface ViewContext {
  readonly definition: AnyJobDefinition | undefined;
  readonly publicUrl: string;
  readonly temporal: { readonly uiUrl: string | undefined; readonly namespace: string };
  /** The opened result, where there is one. */
  readonly result: unknown;
  /** Task queues of the kind that no worker polls; asked for only where the job does not begin. */
  readonly unpolled: readonly string[];
  readonly now: Date;
}

/** `answered` is the workflow's own word; without it an open, started job is shown as it was last known. */
export function sightOf(record: JobRecord, answered: Answered | undefined, context: ViewContext): JobSight {
  const last = StoredView.safeParse(record.view).data;
  const ended = isTerminal(record);
  const state = ended ? undefined : answered?.state;
  const stale = record.status === 'STARTED' && state === undefined;
  const phase = phaseOf(record, state, stale ? last?.phase : undefined);
  const asOf = stale ? (last?.asOf ?? record.startedAt?.toISOString()) : undefined;
  return {
    id: record.id,
    kind: record.kind,
    key: record.key,
    status: record.status,
    phase,
    progress: progressOf({ ...record, phase }, context.definition, {
      highWater: last?.percent ?? 0,
      waitsFor: waitsFor(record, context),
      message: state?.message,
      now: context.now,
    }),
    steps: stepsOf(record, state, context.definition),
    createdAt: record.createdAt.toISOString(),
    startedAt: record.startedAt?.toISOString() ?? null,
    finishedAt: record.endedAt?.toISOString() ?? null,
    deadlineAt: record.deadlineAt.toISOString(),
    stale,
    asOf: asOf ?? (state && answered ? answered.at : context.now).toISOString(),
    delayUntil: record.delayUntil?.toISOString() ?? null,
    attemptOf: record.attemptOf,
    callback: record.callback,
    schedule: record.schedule,
    scheduledAt: record.scheduledAt?.toISOString() ?? null,
    ...kinOf(record, context),
    compensated: record.compensated,
    skipped: [...record.skipped],
    leftovers: [...record.leftovers],
    result: context.result ?? null,
    error: record.error as Job['error'],
    links: {
      ...linksOf(record.id, context),
      ...(record.kin.children ? { children: childrenUrl(record.id, context) } : {}),
      ...(ended && record.callback ? { callback: `${context.publicUrl}/jobs/${record.callback}` } : {}),
    },
  };
}

function kinOf({ kin }: JobRecord, { publicUrl }: ViewContext): Pick<JobSight, 'parent' | 'children'> {
  const { parent, children } = kin;
  if (!children) return { parent };
  const parkedJobs = children.parkedJobs.map((job) => ({
    ...job,
    links: { self: `${publicUrl}/jobs/${job.id}` },
  }));
  return { parent, children: { ...children, parkedJobs } };
}

function childrenUrl(id: string, { publicUrl }: ViewContext): string {
  return `${publicUrl}/jobs?parent=${id}`;
}

/** A job as acceptance answers it. */
export interface AcceptedJob {
  readonly id: string;
  readonly kind: string;
  readonly key: string | null;
  readonly createdAt: Date;
  readonly deadlineAt: Date;
  readonly attemptOf: string | null;
  readonly delayUntil: Date | null;
  readonly callback: string | null;
  readonly schedule: string | null;
  readonly scheduledAt: Date | null;
}

/** What a job just accepted looks like, without reading it back. Equal to {@link sightOf} of its row. */
export function sightOfAccepted(job: AcceptedJob, context: ViewContext): JobSight {
  return sightOf(
    {
      ...job,
      tenantId: '',
      status: 'PENDING',
      phase: 'queued',
      revision: FIRST_REVISION,
      startedAt: null,
      committedAt: null,
      cancelRequestedAt: null,
      endedAt: null,
      compensated: null,
      skipped: [],
      leftovers: [],
      result: null,
      error: null,
      viewHash: null,
      view: null,
      effects: [],
      park: null,
      artifact: null,
      kin: { parent: null, children: null },
    },
    undefined,
    context,
  );
}

type OwnField =
  | ('id' | 'key' | 'createdAt' | 'deadlineAt' | 'delayUntil' | 'asOf' | 'attemptOf' | 'callback')
  | ('schedule' | 'scheduledAt' | 'links');

/** Of {@link sightOfAccepted}, what tells one job of a kind from another. */
export function ownOfAccepted(job: AcceptedJob, context: ViewContext): Pick<JobSight, OwnField> {
  const { id, key, createdAt, deadlineAt, attemptOf, delayUntil, callback } = job;
  return {
    id,
    key,
    createdAt: createdAt.toISOString(),
    deadlineAt: deadlineAt.toISOString(),
    asOf: context.now.toISOString(),
    delayUntil: delayUntil?.toISOString() ?? null,
    attemptOf,
    callback,
    schedule: job.schedule,
    scheduledAt: job.scheduledAt?.toISOString() ?? null,
    links: linksOf(id, context),
  };
}

export const FIRST_REVISION = 1;

/**
 * What makes a new revision: everything but when and how fresh it was read, how fast it goes (both change by
 * themselves), the result (it comes with the end), and links (they are configuration).
 */
export function hashOf(sight: JobSight): Buffer {
  const { asOf: _asOf, stale: _stale, result: _result, links: _links, progress, ...rest } = sight;
  const { ratePerSecond: _rate, etaSeconds: _eta, ...lasting } = progress;
  return createHash('sha256')
    .update(canonicalJson({ ...rest, progress: lasting }))
    .digest();
}

function phaseOf(
  record: JobRecord,
  state: QueriedState | undefined,
  lastKnown: StoredView['phase'] | undefined,
): Job['phase'] {
  if (isTerminal(record)) return 'done';
  if (record.status === 'PENDING') return 'queued';
  if (record.park) return 'parked';
  // The end is the stored record's to tell; a saga that says "done" is about to write it.
  if (state && state.phase !== 'done') return state.phase;
  if (record.phase === 'queued') return lastKnown === 'compensating' ? 'compensating' : 'forward';
  if (record.phase === 'forward' && lastKnown === 'compensating') return 'compensating';
  return record.phase === 'done' ? 'forward' : record.phase;
}

/** What a job that stands still waits for, in a sentence; undefined where it does not stand still. */
function waitsFor(record: JobRecord, { definition, unpolled }: ViewContext): string | undefined {
  const { park, status } = record;
  if (status === 'PENDING' && unpolled.length > 0)
    return `Waits for a worker: nobody polls ${unpolled.join(', ')}`;
  if (!park || isTerminal(record)) return undefined;
  const declared = (definition?.steps ?? {}) as Readonly<Record<string, AnyStep>>;
  const question = declared[park.step]?.kind === 'decision' ? declared[park.step]?.summary : undefined;
  const step = `${park.undo ? 'undo of ' : ''}${park.step}${park.item === null ? '' : ` ${park.item}`}`;
  const doubt = park.doubt ? '; nobody can tell whether it happened' : '';
  return `Waits for a person since ${toIso(park.since)}: ${question ?? `park ${park.number}, ${step}${doubt}`}`;
}

/** In the definition's order; steps not begun are shown as waiting for as long as they may still run. */
function stepsOf(
  record: JobRecord,
  state: QueriedState | undefined,
  definition: AnyJobDefinition | undefined,
): StepView[] {
  const effects = Map.groupBy(latestEffects(record.effects), (effect) => effect.name);
  const said = Map.groupBy(state?.steps ?? [], (step) => step.name);
  const declared = (definition?.steps ?? {}) as Readonly<Record<string, AnyStep>>;
  const names = new Set([...Object.keys(declared), ...effects.keys(), ...said.keys()]);
  return [...names].flatMap((name): StepView[] => {
    const rows = new Map(effects.get(name)?.map((row) => [row.item, row]));
    const words = new Map(said.get(name)?.map((word) => [word.item ?? NO_ITEM, word]));
    const items = new Set([...rows.keys(), ...words.keys()]);
    if (items.size === 0) {
      const step = declared[name];
      return step && !isTerminal(record) ? [{ name, kind: step.kind, status: 'waiting', attempt: 0 }] : [];
    }
    return [...items]
      .sort((a, b) => a - b)
      .map((item) => {
        const row = rows.get(item);
        const word = words.get(item);
        const kind = row?.kind ?? declared[name]?.kind ?? 'readOnly';
        const view = toStepView({ name, item, kind }, row, word?.status, record);
        return declared[name]?.children ? withChildren(view, word?.status, record) : view;
      });
  });
}

const NO_ITEM = -1;

function toStepView(
  step: { name: string; item: number; kind: StepView['kind'] },
  row: EffectRecord | undefined,
  said: StepView['status'] | undefined,
  record: JobRecord,
): StepView {
  const status = row ? statusOf(row, said, record) : (said ?? 'waiting');
  return {
    name: step.name,
    ...(step.item === NO_ITEM ? {} : { item: step.item }),
    kind: step.kind,
    status,
    attempt: row?.attempt ?? 0,
    ...(row?.nextAttemptAt && status === 'retrying' ? { nextAttemptAt: toIso(row.nextAttemptAt) } : {}),
    ...(row ? { startedAt: toIso(row.startedAt) } : {}),
    ...(row?.finishedAt ? { finishedAt: toIso(row.finishedAt) } : {}),
    ...(row?.lastError ? { lastError: row.lastError as NonNullable<StepView['lastError']> } : {}),
  };
}

/** The ledger has a step with children as done when they are started: until they have ended the saga knows better. */
function withChildren(view: StepView, said: StepView['status'] | undefined, record: JobRecord): StepView {
  const isOver = said === undefined ? record.kin.children?.open === 0 : said === 'done';
  if (view.status !== 'done' || isOver || isTerminal(record)) return view;
  const { finishedAt: _started, ...open } = view;
  return { ...open, status: said === 'undoing' ? 'undoing' : 'running' };
}

/** What only a saga knows of its steps; for the rest the ledger is the fresher source. */
const SAID_ONLY: ReadonlySet<StepView['status']> = new Set(['parked', 'skipped', 'leftover', 'failed']);

function statusOf(
  row: EffectRecord,
  said: StepView['status'] | undefined,
  record: JobRecord,
): StepView['status'] {
  if (said && SAID_ONLY.has(said)) return said;
  const { park } = record;
  if (park && !isTerminal(record) && park.step === row.name && (park.item ?? NO_ITEM) === row.item)
    return 'parked';
  switch (row.state) {
    case 'done':
    case 'undoing':
      return row.state;
    case 'undone':
      return record.leftovers.some((leftover) => isOf(leftover, row)) ? 'leftover' : row.state;
    case 'kept':
      return record.leftovers.some((leftover) => isOf(leftover, row)) ? 'leftover' : 'skipped';
    case 'claimed':
      if (row.failed || isTerminal(record)) return 'failed';
      return row.nextAttemptAt !== null ? 'retrying' : 'running';
  }
}

function isOf(leftover: unknown, row: EffectRecord): boolean {
  const { step, item = NO_ITEM } = (leftover ?? {}) as { readonly step?: unknown; readonly item?: unknown };
  return step === row.name && item === row.item;
}

/** PostgreSQL's jsonb keeps microseconds and an offset; the API speaks milliseconds in UTC. */
function toIso(time: string): string {
  return new Date(time).toISOString();
}

/** What links are made of. */
export type LinkContext = Pick<ViewContext, 'publicUrl' | 'temporal'>;

/** Where a job is found, and its workflow in Temporal's Web UI. */
export function linksOf(id: string, { publicUrl, temporal }: LinkContext): Job['links'] {
  const self = `${publicUrl}/jobs/${id}`;
  return {
    self,
    events: `${self}/events`,
    result: `${self}/result`,
    cancel: `${self}/cancel`,
    ...(temporal.uiUrl
      ? {
          temporal: `${temporal.uiUrl.replace(/\/$/, '')}/namespaces/${encodeURIComponent(temporal.namespace)}/workflows/${id}`,
        }
      : {}),
  };
}
