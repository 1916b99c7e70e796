/** What can go wrong at each place, by what is done there. The first option of each list is that nothing does. */
import { isElsewhere, type Step } from '../define.js';
import type { Option } from './choices.js';

const fault = (name: string): Option => ({ name, costs: 'faults' });

const WELL: Option = { name: 'goes well' };
export const REJECTS = fault('is rejected');
export const FAILS = fault('fails, and certainly did nothing');
export const UNHEARD = fault('is not heard, and nobody knows that');
export const ANSWER_LOST = fault('takes effect, and the answer is lost');
export const LATE = fault('hangs, and takes effect late');
export const BUG = fault('has a bug');
export const WORKER_LOST = fault('is lost with its worker');
export const WORKER_LOST_AFTER = fault('takes effect, and its worker is lost');
export const WORKER_LATE = fault('is lost with its worker, and takes effect late');
export const PROBE_FAILS = fault('cannot be told');
export const AWAY = fault('the ledger does not hear it');
/** Its worker is taken for lost, and goes on much later, as if nothing were. */
export const FROZEN = fault('its worker is frozen before it, and goes on late');
export const KEPT = fault('the ledger keeps it, and the answer is lost');
export const RECORD_WORKER_LOST = fault('the worker is lost before');
export const KEPT_WORKER_LOST = fault('the worker is lost after it');

/** Of a step without effect, or with one that is in a transaction. */
const ALONE = [WELL, REJECTS, FAILS, BUG, WORKER_LOST];
const CALL = [
  WELL,
  REJECTS,
  FAILS,
  UNHEARD,
  ANSWER_LOST,
  LATE,
  BUG,
  WORKER_LOST,
  WORKER_LOST_AFTER,
  WORKER_LATE,
];
const UNDO = [WELL, REJECTS, FAILS, UNHEARD, ANSWER_LOST, BUG, WORKER_LOST, WORKER_LOST_AFTER];
/** Where no key makes a second undo harmless, it matters that one may come late. */
const KEYLESS_UNDO = [...UNDO, LATE, WORKER_LATE];

export function stepFaults({ effect }: Step): readonly Option[] {
  return isElsewhere(effect) ? CALL : ALONE;
}
export function undoFaults({ effect }: Step): readonly Option[] {
  return effect === 'probed' || effect === 'blind' ? KEYLESS_UNDO : UNDO;
}
export const PROBE_FAULTS: readonly Option[] = [WELL, PROBE_FAILS, WORKER_LOST];
/** Before anything is done: what is not kept is asked again. */
export const CLAIM_FAULTS: readonly Option[] = [WELL, AWAY, KEPT, FROZEN];
export const SETTLE_CLAIM_FAULTS: readonly Option[] = [WELL, AWAY, KEPT];
export const RECORD_FAULTS: readonly Option[] = [WELL, AWAY, KEPT, RECORD_WORKER_LOST, KEPT_WORKER_LOST];
export const LATE_RECORD_FAULTS: readonly Option[] = [...RECORD_FAULTS, FROZEN];
export const REPORT_FAULTS: readonly Option[] = [WELL, AWAY];

/** The server handed it out in the very moment it was called off: it begins all the same, and nobody waits for it. */
export const HANDED_OUT = fault('begins all the same');
export const CALLED_OFF_FAULTS: readonly Option[] = [WELL, HANDED_OUT];

export const NOT_YET: Option = { name: 'not yet' };
export const NOW: Option = { name: 'now' };

export const NOTHING: Option = { name: 'nothing' };
export const CANCEL: Option = { name: 'somebody cancels', costs: 'cancels' };
export const DEADLINE: Option = { name: 'the deadline passes', costs: 'deadlines' };
export const HOLD_LOST: Option = { name: 'the holder is lost', costs: 'faults' };
export const LEFT_PARKED: Option = { name: 'nobody decides' };
/** What a decision is about is asked again, since the first answer is lost. */
export const RULED_TWICE = fault('is ruled, and the answer is lost');
export const RULING_FAULTS: readonly Option[] = [WELL, RULED_TWICE];
