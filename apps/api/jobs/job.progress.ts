/** A job's progress: the sum over the ledger's rows that are not undone, and the pace it makes. */
import type { ChildrenRecord, EffectRecord, JobRecord } from '../../../libs/store/jobs.store.js';
import type { AnyJobDefinition, Steps } from '../../../libs/saga/define.js';
import type { Progress } from './job.schema.js';
import { isTerminal } from './job.schema.js';

const MS_PER_SECOND = 1_000;
/** 100 is for the end alone. */
const PERCENT_MAX_RUNNING = 99.9;

/** The rows that count: of each step and item the latest generation. */
export function latestEffects(effects: readonly EffectRecord[]): EffectRecord[] {
  const latest = new Map<string, EffectRecord>();
  for (const effect of effects) {
    const key = `${effect.name}/${effect.item}`;
    const there = latest.get(key);
    if (!there || there.generation <= effect.generation) latest.set(key, effect);
  }
  return [...latest.values()];
}

/** `highWater` is the percentage readers saw last; `waitsFor` tells why the job stands still; `message` is the saga's own. */
export function progressOf(
  record: JobRecord,
  definition: AnyJobDefinition | undefined,
  options: {
    readonly highWater: number;
    readonly waitsFor: string | undefined;
    readonly message: string | undefined;
    readonly now: Date;
  },
): Progress {
  const rows = latestEffects(record.effects);
  const standing = rows.filter((row) => row.state !== 'undone' && row.progress !== null);
  const { children } = record.kin;
  const done = sumOf(standing, 'done');
  const total = totalOf(standing);
  const unit = standing.findLast((row) => row.progress?.unit !== undefined)?.progress?.unit ?? null;
  const pace = paceOf(record, standing, done, total, options.now);
  return {
    percent: percentOf(
      record,
      { done, total, unit, ratio: ratioOfSteps(rows, definition, children) },
      options.highWater,
    ),
    message: options.waitsFor ?? lastSaidOf(rows) ?? options.message ?? null,
    // A job that counts nothing of its own is as far as its children are.
    ...(unit === null && children
      ? { done: children.total - children.open, total: children.total, unit: 'jobs' }
      : { done, total, unit }),
    bytes: sumOf(standing, 'bytes'),
    ...pace,
  };
}

function sumOf(rows: readonly EffectRecord[], field: 'done' | 'bytes' | 'total'): number | null {
  const values = rows.flatMap((row) => row.progress?.[field] ?? []);
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0);
}

/** A read-only step that counted (the plan) knows the whole; without one, each row knows its part. */
function totalOf(rows: readonly EffectRecord[]): number | null {
  const planned = rows.findLast((row) => row.kind === 'readOnly' && row.progress?.total !== undefined);
  return planned?.progress?.total ?? sumOf(rows, 'total');
}

/** For kinds that report nothing by the unit: steps done, of those declared; one with children as far as they are. */
function ratioOfSteps(
  rows: readonly EffectRecord[],
  definition: AnyJobDefinition | undefined,
  children: ChildrenRecord | null,
): number {
  const steps = (definition?.steps ?? {}) as Steps;
  const declared = Object.keys(steps).length;
  if (declared === 0) return 0;
  const ended = children ? 1 - children.open / children.total : 1;
  const done = [...Map.groupBy(rows, (row) => row.name)]
    .filter(([, group]) => group.every((row) => row.state === 'done'))
    .reduce((sum, [name]) => sum + (steps[name]?.children ? ended : 1), 0);
  return Math.min(done / declared, 1);
}

function percentOf(
  record: JobRecord,
  measure: { done: number | null; total: number | null; unit: string | null; ratio: number },
  highWater: number,
): number {
  if (record.status === 'SUCCEEDED') return 100;
  // Undoing is no progress: what was reached stays shown.
  if (record.phase === 'compensating' || isTerminal(record)) return highWater;
  // What is told by the unit has a total: it is not known yet, and a guess could not be taken back.
  if (measure.unit !== null && measure.total === null) return highWater;
  const ratio =
    measure.total !== null && measure.total > 0 ? (measure.done ?? 0) / measure.total : measure.ratio;
  const percent = Math.min(Math.floor(ratio * 1_000) / 10, PERCENT_MAX_RUNNING);
  return Math.max(percent, highWater);
}

function lastSaidOf(rows: readonly EffectRecord[]): string | undefined {
  const speaking = rows
    .filter((row) => row.state === 'claimed' && row.progress?.message !== undefined)
    .sort((a, b) => Date.parse(a.updatedAt) - Date.parse(b.updatedAt));
  return speaking.at(-1)?.progress?.message;
}

/** The average since the first of the steps that do the work began; the plan's own time does not count. */
function paceOf(
  record: JobRecord,
  rows: readonly EffectRecord[],
  done: number | null,
  total: number | null,
  now: Date,
): Pick<Progress, 'ratePerSecond' | 'etaSeconds'> {
  const working = rows.filter((row) => row.progress?.done !== undefined);
  if (done === null || working.length === 0) return { ratePerSecond: null, etaSeconds: null };
  const began = Math.min(...working.map((row) => Date.parse(row.startedAt)));
  const ends = working.map((row) => (row.finishedAt === null ? now.getTime() : Date.parse(row.finishedAt)));
  const seconds = (Math.max(...ends) - began) / MS_PER_SECOND;
  if (!(seconds > 0)) return { ratePerSecond: null, etaSeconds: null };
  const rate = done / seconds;
  const left = total === null ? null : Math.max(0, total - done);
  const eta = isTerminal(record) || left === null || rate <= 0 ? null : Math.ceil(left / rate);
  return { ratePerSecond: Math.round(rate * 10) / 10, etaSeconds: eta };
}
