/** What a cancel would do now, read from the ledger. Decides as `longhaul.request_cancel` does. */
import type { EffectRecord, JobRecord } from '../../../libs/store/jobs.store.js';
import { isTerminal, type CancelPreview } from './job.schema.js';

/** In these states an undo is still owed; `undone` and `kept` are final. */
const OWES_UNDO: ReadonlySet<EffectRecord['state']> = new Set(['claimed', 'done', 'undoing']);
/** An attempt claimed it, and whether it happened is not known yet. One that still waits for a worker has no row. */
const UNSETTLED: ReadonlySet<EffectRecord['state']> = new Set(['claimed', 'undoing']);
const NO_ITEM = -1;

/** Undos in the order they would run: the reverse of registration (S3). */
export function previewCancel(record: JobRecord): CancelPreview {
  if (record.status === 'CANCELLED') return { possible: false, reason: 'already_cancelled', wouldUndo: [] };
  if (isTerminal(record)) return { possible: false, reason: 'job_finished', wouldUndo: [] };
  if (record.committedAt !== null) return { possible: false, reason: 'too_late', wouldUndo: [] };
  const wouldUndo = record.effects
    .filter((effect) => effect.undo !== null && OWES_UNDO.has(effect.state))
    .sort((a, b) => b.seq - a.seq || b.item - a.item)
    .map(({ name, item, undo }) => ({ step: name, ...(item === NO_ITEM ? {} : { item }), undo: undo ?? '' }));
  const pivot = record.effects.find(({ kind, state }) => kind === 'pivot' && UNSETTLED.has(state));
  if (!pivot) return { possible: true, wouldUndo };
  const parked = record.park?.doubt === true && record.park.step === pivot.name;
  return { possible: true, waitsFor: { step: pivot.name, parked }, wouldUndo };
}
