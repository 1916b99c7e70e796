/** What must hold in every schedule (SAGA_RULES, "Invariants the explorer checks"). */
import type { AnyJobDefinition, AnyStep } from '../define.js';
import type { EffectRef, SagaEnd } from '../protocol.js';
import type { RunEvent, ScheduleRun } from './run-schedule.js';
import { factNameOf } from './truth.js';

export interface Violation {
  readonly invariant: string;
  readonly detail: string;
}

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
  let finish: SagaEnd | undefined;
  let isPivotLive = false;
  let hasCompensated = false;
  let lastUndone = Infinity;
  let cause: 'cancel' | 'deadline' | 'failure' | undefined;
  let latched: 'cancel' | 'deadline' | undefined;
  let wasParked = false;

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
        if (state.phase === 'compensating' && cause === undefined) cause = latched ?? 'failure';
        if (state.park && !wasParked) rejected.delete(factNameOf({ ...state.park, generation: 0 }));
        wasParked = state.park !== undefined;
        return;
      }
      case 'finish':
        if (finish) violated('OneTerminal', `the end is recorded twice`);
        finish = event.end;
        return;
    }
  }

  function happened(what: 'applied' | 'undone', ref: EffectRef): void {
    const name = factNameOf(ref);
    const isPivot = steps[ref.step]?.kind === 'pivot';
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
    const seq = seqs.get(name) ?? 0;
    if (seq > lastUndone) violated('ReverseOrder', `${name} is undone after something that came before it`);
    lastUndone = seq;
  }

  function check({ end, error, state, truth, ledger }: ScheduleRun): Violation | undefined {
    if (error !== undefined) violated('Live', `the saga's own code failed: ${(error as Error).message}`);
    if (!end && !state.park && error === undefined)
      violated('Live', 'the saga neither ends nor parks: nothing is left to wait for');
    for (const fact of truth.facts.values()) {
      const name = factNameOf(fact);
      if (fact.applied > 1) violated('AtMostOnce', `${name} took effect ${fact.applied} times`);
      if (fact.undone > 1) violated('UndoAtMostOnce', `${name} was undone ${fact.undone} times`);
    }
    for (const row of ledger.rows.values()) {
      const effect = steps[row.step]?.effect;
      if (effect === 'none') continue;
      const name = factNameOf({ ...row, item: row.item as number });
      const isLive = truth.facts.get(name)?.live === true;
      if (row.state === 'done' && !isLive)
        violated('LedgerTruth', `the ledger has ${name} as done; it is not`);
      if (row.state === 'undone' && isLive)
        violated('LedgerTruth', `the ledger has ${name} as undone; it is live`);
    }
    if (!end) return first;
    if (end.status === 'SUCCEEDED') {
      for (const step of state.steps) {
        if (steps[step.name]?.effect === 'none') continue;
        const generations = [...truth.facts.values()].filter(
          (fact) => fact.step === step.name && fact.item === step.item,
        );
        const live = generations.filter((fact) => fact.live).length;
        if (live !== 1)
          violated('AllOrNothing', `SUCCEEDED, and ${step.name} ${step.item ?? ''} is live ${live} times`);
      }
    } else {
      for (const fact of truth.facts.values())
        if (fact.live) violated('AllOrNothing', `${end.status}, and ${factNameOf(fact)} is live`);
      if (end.error.failureClass === 'bug') violated('BugParks', `a bug ended the saga: ${end.error.detail}`);
      const expected = cause === 'cancel' ? 'cancelled' : cause === 'deadline' ? 'deadline' : undefined;
      const told = ['cancelled', 'deadline'].find((one) => one === end.error.failureClass);
      if (told !== expected)
        violated(
          'FirstCause',
          `${cause ?? 'nothing'} came first, and the end says ${end.error.failureClass}`,
        );
    }
    return first;
  }

  return { tell, check };
}
