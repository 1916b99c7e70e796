/** What must hold in every schedule (SAGA_RULES, "Invariants the explorer checks"). */
import type { AnyJobDefinition, AnyStep } from '../define.js';
import type { EffectRow } from '../memory/ledger.js';
import { type EffectRef, type SagaEnd } from '../protocol.js';
import { lockNameOf } from './fake-kind.js';
import type { RunEvent } from './events.js';
import type { ScheduleRun } from './run-schedule.js';
import { factNameOf } from './truth.js';

export interface Violation {
  readonly invariant: string;
  readonly detail: string;
}

/** Refusals of the ledger: what the engine tells itself, never why a saga ended. */
const REFUSALS: ReadonlySet<string> = new Set([
  'job_ended',
  'job_unknown',
  'superseded',
  'fenced',
  'in_doubt',
]);

/** Watches one run; `check` is asked when it is over. */
export function createInspector(definition: AnyJobDefinition): {
  readonly tell: (event: RunEvent) => void;
  readonly check: (run: ScheduleRun) => Violation | undefined;
} {
  let first: Violation | undefined;
  const violated = (invariant: string, detail: string): void => void (first ??= { invariant, detail });
  const steps = definition.steps as Readonly<Record<string, AnyStep>>;
  const seqs = new Map<string, number>();
  const rejected = new Set<string>();
  const undoEnded = new Set<string>();
  /** Done outside by a person: nothing of the step ran, its lock included (S8). */
  const doneByHand = new Set<string>();
  /** Taken back because a person decided about that step alone. */
  const undoneByDecision = new Set<string>();
  let finish: SagaEnd | undefined;
  let isPivotLive = false;
  let hasCompensated = false;
  let lastUndone = Infinity;
  let cause: 'cancel' | 'deadline' | 'failure' | 'decision' | undefined;
  let latched: 'cancel' | 'deadline' | undefined;
  let isDecidedAgainst = false;

  function tell(event: RunEvent): void {
    switch (event.kind) {
      case 'start': {
        const { request, state } = event;
        const name = factNameOf(request);
        seqs.set(name, request.seq);
        if (request.role === 'undo' && request.compensating) hasCompensated = true;
        if (finish) violated('Quiescent', `${request.role} of ${name} is asked for after the end`);
        if (request.role === 'step' && request.before === 0 && state.phase === 'compensating')
          violated('NoForwardOnceDoomed', `${name} is started although the saga is to end`);
        if (request.role === 'step' && rejected.has(name))
          violated('RejectedNotRetried', `${name} is tried again after it was rejected`);
        return;
      }
      case 'attempt': {
        const { event: attempt } = event;
        const name = factNameOf(attempt);
        const isPivot = steps[attempt.step]?.kind === 'pivot' && attempt.role === 'step';
        if (isPivot && attempt.what === 'begin' && latched)
          violated('NoPivotOnceLatched', `${name} begins although a ${latched} waits for it`);
        if (finish && attempt.what === 'begin')
          violated('Quiescent', `${attempt.role} of ${name} begins after the end`);
        if (attempt.role === 'step' && attempt.what === 'failed' && attempt.code === 'rejected')
          rejected.add(name);
        if (attempt.role === 'step' && attempt.what === 'begin' && rejected.has(name))
          violated('RejectedNotRetried', `${name} is tried again after it was rejected`);
        if (attempt.role === 'undo' && (attempt.what === 'done' || attempt.what === 'noop'))
          undoEnded.add(name);
        return;
      }
      case 'truth':
        return happened(event.what, event.ref);
      case 'state': {
        const { state, during } = event;
        if (during !== undefined && !state.committed) latched ??= during;
        if (state.phase === 'compensating' && cause === undefined)
          cause = latched ?? (isDecidedAgainst ? 'decision' : 'failure');
        return;
      }
      case 'decision': {
        const { letter, chosen } = event;
        const name = factNameOf(letter);
        // S8: a person may have tried again what was rejected.
        if (chosen.decision === 'retry') rejected.delete(name);
        if (chosen.decision === 'compensate') isDecidedAgainst = true;
        if (chosen.decision === 'resolve') doneByHand.add(name);
        // S8: `skip` of a compensable undoes it now, and so does its correction; the rest of the saga stays.
        if (!letter.undo && (chosen.decision === 'skip' || chosen.corrects)) undoneByDecision.add(name);
        return;
      }
      case 'continued':
        return;
      case 'finish':
        if (finish) violated('OneTerminal', `the end is recorded twice`);
        finish = event.end;
        return;
    }
  }

  function happened(what: 'applied' | 'undone' | 'broken', ref: EffectRef): void {
    const name = factNameOf(ref);
    const isPivot = steps[ref.step]?.kind === 'pivot';
    if (what === 'broken')
      return violated('UndoAtMostOnce', `${name} is undone where nothing of it is left to undo`);
    if (finish) violated('Quiescent', `${name} is ${what} after the end`);
    if (what === 'applied') {
      lastUndone = Infinity;
      if (undoEnded.has(name)) violated('NoEffectAfterUndo', `${name} takes effect after its undo`);
      if (isPivot && hasCompensated)
        violated('NoPivotAfterCompensation', `${name} takes effect after compensation has begun`);
      if (isPivot) isPivotLive = true;
      return;
    }
    if (isPivotLive) violated('NoUndoPastPivot', `${name} is undone although the pivot has happened`);
    if (undoneByDecision.has(name)) return;
    const seq = seqs.get(name) ?? 0;
    if (seq > lastUndone) violated('ReverseOrder', `${name} is undone after something that came before it`);
    lastUndone = seq;
  }

  function check(run: ScheduleRun): Violation | undefined {
    const { end, error, state, truth, ledger } = run;
    if (error !== undefined) violated('Live', `the saga's own code failed: ${(error as Error).message}`);
    if (!end && !state.park && error === undefined)
      violated('Live', 'the saga neither ends nor parks: nothing is left to wait for');
    for (const fact of truth.facts.values()) {
      const name = factNameOf(fact);
      if (fact.applied > 1) violated('AtMostOnce', `${name} took effect ${fact.applied} times`);
      if (fact.undone > 1) violated('UndoAtMostOnce', `${name} was undone ${fact.undone} times`);
    }
    const rows = new Map<string, EffectRow>();
    for (const row of ledger.rows.values()) {
      const effect = steps[row.step]?.effect;
      if (effect === 'none') continue;
      const name = nameOf(row);
      rows.set(name, row);
      const isLive = truth.facts.get(name)?.live === true;
      if (row.state === 'done' && !isLive)
        violated('LedgerTruth', `the ledger has ${name} as done; it is not`);
      if (row.state === 'undone' && isLive)
        violated('LedgerTruth', `the ledger has ${name} as undone; it is live`);
      // S15: a lock is the job's until its terminal transaction.
      const isOurs = effect === 'own' && row.state === 'done' && !doneByHand.has(name);
      if (isOurs && !end && !ledger.locks.has(lockNameOf(row)))
        violated('LocksKept', `${name} is done, and its lock is not the job's any more`);
    }
    if (!end) return first;
    for (const lock of ledger.locks) violated('NoLockLeft', `the job has ended and holds the ${lock}`);
    checkEffects(end, run, rows);
    for (const name of run.orphaned) {
      if (rows.get(name)?.state !== 'kept')
        violated('NoOrphan', `${end.status}, and a child of ${name} is open`);
    }
    if (end.status !== 'SUCCEEDED') checkCause(end);
    return first;
  }

  /** What is live at the end. What a person kept (S8) is nobody's any more, if the end says so. */
  function checkEffects(end: SagaEnd, { state, truth }: ScheduleRun, rows: Map<string, EffectRow>): void {
    const skipped = new Set(end.skipped.map(placeOf));
    const leftovers = new Set(end.leftovers.map(placeOf));
    const liveAt = new Map<string, number>();
    for (const fact of truth.facts.values()) {
      if (!fact.live) continue;
      const name = factNameOf(fact);
      const place = placeOf(fact);
      if (rows.get(name)?.state !== 'kept') liveAt.set(place, (liveAt.get(place) ?? 0) + 1);
      else if (!leftovers.has(place) && !(end.status === 'SUCCEEDED' && skipped.has(place)))
        violated('AllOrNothing', `${end.status}, and ${name} was left live without a word of it`);
    }
    if (end.status !== 'SUCCEEDED') {
      for (const place of liveAt.keys()) violated('AllOrNothing', `${end.status}, and ${place} is live`);
      return;
    }
    for (const { name, item, status } of state.steps) {
      if (steps[name]?.effect === 'none') continue;
      const place = placeOf({ step: name, item });
      // S8: a skipped step is left out; one whose undo was given up on the way is left over.
      const isOut = skipped.has(place) || (status === 'leftover' && leftovers.has(place));
      const live = liveAt.get(place) ?? 0;
      if (live !== (isOut ? 0 : 1)) violated('AllOrNothing', `SUCCEEDED, and ${place} is live ${live} times`);
    }
  }

  function checkCause(end: Exclude<SagaEnd, { status: 'SUCCEEDED' }>): void {
    const { code, failureClass, detail } = end.error;
    if (failureClass === 'bug') violated('BugParks', `a bug ended the saga: ${detail}`);
    const expected = cause === 'cancel' ? 'cancelled' : cause === 'deadline' ? 'deadline' : undefined;
    const told = ['cancelled', 'deadline'].find((one) => one === failureClass);
    const isDecision = code === 'decided_against';
    if (told !== expected || isDecision !== (cause === 'decision'))
      violated('FirstCause', `${cause ?? 'nothing'} came first, and the end says ${failureClass}: ${code}`);
    if (REFUSALS.has(code))
      violated('FirstCause', `the ledger's refusal "${code}" is told as what ended the saga`);
  }

  return { tell, check };
}

function nameOf(row: EffectRow): string {
  return factNameOf(row);
}

/** A step, or an item of it, under whatever generation. */
function placeOf({ step, item }: Pick<EffectRef, 'step' | 'item'>): string {
  return item === undefined ? step : `${step} ${item}`;
}
