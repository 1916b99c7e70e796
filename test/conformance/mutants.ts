/** The engine, wronged on purpose, each time in one way (SAGA_RULES names them): what the explorer must find. */

import type { ExploredKind } from './explored-kinds.js';

export interface Patch {
  /** Below libs/saga. */
  readonly file: string;
  /** Must be there exactly once. */
  readonly find: string;
  readonly replace: string;
}

export interface Mutant {
  readonly name: string;
  /** What it does wrong. */
  readonly wrong: string;
  readonly patches: readonly Patch[];
  /** The kind it shows in; `order` by default. */
  readonly kind?: ExploredKind;
  /** It shows where a saga goes on in a new run after so many steps. */
  readonly continueAfter?: number;
}

const patch = (file: string, find: string, replace: string): Patch => ({ file, find, replace });
const JOURNAL = 'interpreter/journal.ts';
const STEP = 'interpreter/step.ts';
const FATE = 'interpreter/fate.ts';
const RECALL = 'interpreter/recall.ts';
const LEDGER = 'memory/ledger.ts';
const VERDICT = 'attempt/verdict.ts';

export const mutants: readonly Mutant[] = [
  {
    name: 'registerAfter',
    wrong: 'An undo is registered when its step is done, not before its first attempt.',
    patches: [patch(JOURNAL, `!CLOSED.has(entry.shown.status))`, `entry.shown.status === 'done')`)],
  },
  {
    name: 'registerGroupAfter',
    wrong: 'Members of a group are registered when they are done.',
    patches: [
      patch(
        JOURNAL,
        `!CLOSED.has(entry.shown.status))`,
        `(entry.item === undefined ? !CLOSED.has(entry.shown.status) : entry.shown.status === 'done'))`,
      ),
    ],
  },
  {
    name: 'groupNoWait',
    wrong: 'Compensation begins while members of a failed group are in flight.',
    patches: [
      patch('interpreter/interpreter.ts', 'await run.flights.landed();', ''),
      patch('interpreter/for-each.ts', 'failures.push(error);', 'throw error;'),
    ],
  },
  {
    name: 'swallowUndo',
    wrong: 'An undo that fails for good is passed over.',
    patches: [
      patch('interpreter/undo.ts', `    run.show(entry, 'parked');`, `    return run.show(entry, 'undone');`),
    ],
  },
  {
    name: 'undoCancellable',
    wrong: 'A cancel interrupts an undo, and compensation goes on without it.',
    patches: [
      patch('interpreter/undo.ts', `return run.runtime.start({`, `const running = run.runtime.start({`),
      patch(
        'interpreter/undo.ts',
        `  }).settled;`,
        `  });\n  run.flights.interruptible(entry, 'attempt', () => running.cancel());\n  return running.settled;`,
      ),
      patch(
        'interpreter/undo.ts',
        `    if (settled.kind === 'done') return`,
        `    if (settled.kind === 'done' || settled.kind === 'cancelled') return`,
      ),
      patch(
        'interpreter/saga-run.ts',
        `    const isText = typeof reason`,
        `    this.flights.interruptAll(['attempt']);\n    const isText = typeof reason`,
      ),
    ],
  },
  {
    name: 'authorCatches',
    wrong: 'An author who catches a failure revives the saga.',
    kind: 'stubborn',
    patches: [patch(FATE, 'if (this.doom) throw new Doomed(this.doom);', '')],
  },
  {
    name: 'keyPerAttempt',
    wrong: 'Each attempt has an effect key of its own.',
    patches: [
      patch(
        'attempt/context.ts',
        'key: effectKeyOf(request.job.id, request),',
        'key: `${effectKeyOf(request.job.id, request)}#${host.attempt}`,',
      ),
    ],
  },
  {
    name: 'ignoreOutcome',
    wrong: 'An outcome that is recorded is not replayed: the step runs again.',
    kind: 'trip',
    patches: [
      patch(
        LEDGER,
        `if (row.state === 'done') return { kind: 'done', outcome: row.outcome };\n    if (row.state !== 'claimed') return refused('fenced');\n    if (claim.attempt`,
        `if (row.state === 'done') row.state = 'claimed';\n    if (row.state !== 'claimed') return refused('fenced');\n    if (claim.attempt`,
      ),
    ],
  },
  {
    name: 'parkNoQuarantine',
    wrong: 'A pivot in doubt is asked about while an attempt of it may still act.',
    patches: [
      patch(LEDGER, `if (waitMs > 0) return { kind: 'wait', waitMs };\n        if (!canAsk)`, `if (!canAsk)`),
    ],
  },
  {
    name: 'undoOfNothing',
    wrong: 'Undoing what never began is an error.',
    patches: [
      patch(
        LEDGER,
        `        if (!row) {\n          insert(claim, 'undone');\n          return { kind: 'noop' };\n        }\n        if (row.state === 'undone'`,
        `        if (!row) throw new TypeError('nothing to undo');\n        if (row.state === 'undone'`,
      ),
    ],
  },
  {
    name: 'undoNotIdempotent',
    wrong: 'Each attempt of an undo has a key of its own.',
    patches: [
      patch(
        'attempt/context.ts',
        'undoKey: `${base.key}/undo`,',
        'undoKey: `${base.key}/undo/${base.attempt}`,',
      ),
    ],
  },
  {
    name: 'startOver',
    wrong: 'A block starts over without what it did being undone.',
    kind: 'snapshot',
    patches: [
      patch('interpreter/holding.ts', 'await undoAll(run, run.journal.undoable(block), false);', ''),
      patch(
        JOURNAL,
        `.filter((entry) => block === undefined || entry.isWithin(block))`,
        `.filter((entry) => entry.block?.lost === undefined)`,
      ),
    ],
  },
  {
    name: 'forwardOrderUndo',
    wrong: 'Undos run in the order of their steps.',
    patches: [patch(JOURNAL, '      .reverse();', ';')],
  },
  {
    name: 'noTombstone',
    wrong: 'Undoing what never began leaves nothing that would refuse it later.',
    patches: [
      patch(
        LEDGER,
        `        if (!row) {\n          insert(claim, 'undone');\n          return { kind: 'noop' };\n        }\n        if (row.state === 'undone'`,
        `        if (!row) return { kind: 'noop' };\n        if (row.state === 'undone'`,
      ),
    ],
  },
  {
    name: 'lateUndoNoLease',
    wrong: 'An undo does not wait for the lease of an attempt that never reported.',
    patches: [patch(LEDGER, 'if (claim.awaitsLease && waitMs > 0)', 'if (waitMs > Infinity)')],
  },
  {
    name: 'compensatePastPivot',
    wrong: 'A cancel or the deadline compensates past the commit point.',
    patches: [patch(FATE, 'if (this.doom || this.past) return;', 'if (this.doom) return;')],
  },
  {
    name: 'timeoutIsNo',
    wrong: 'An attempt that timed out is taken for one that did nothing.',
    patches: [
      patch(
        VERDICT,
        `certainty: whenUnknown, code: 'timed_out', message: error.message`,
        `certainty: 'no', code: 'timed_out', message: error.message`,
      ),
    ],
  },
  {
    name: 'lastFailureDecides',
    wrong: 'The last failure takes away the doubt of those before.',
    patches: [
      patch(
        LEDGER,
        `row.doubt ||= report.unknown && claim.effect !== 'none';`,
        `row.doubt = report.unknown && claim.effect !== 'none';`,
      ),
    ],
  },
  {
    name: 'lostAckIsNo',
    wrong: 'An outcome whose record was not answered is taken for none.',
    patches: [
      patch(LEDGER, `return { doubt: row.doubt || row.state === 'done' };`, `return { doubt: row.doubt };`),
    ],
  },
  {
    name: 'cancelBeatsPivot',
    wrong: 'A cancel compensates although the pivot is in flight.',
    patches: [patch(FATE, 'if (this.pivotOpen) {', 'if (this.pivotOpen && cause.kind === "deadline") {')],
  },
  {
    name: 'deadlinePastPivot',
    wrong: 'The deadline compensates past the commit point.',
    patches: [
      patch(
        FATE,
        'if (this.doom || this.past) return;',
        `if (this.doom || (this.past && cause.kind !== 'deadline')) return;`,
      ),
    ],
  },
  {
    name: 'probeUnfenced',
    wrong: 'A probe’s "no" is believed without a fence: a later attempt may still act.',
    patches: [
      patch(
        LEDGER,
        `        if (waitMs > 0) return { kind: 'wait', waitMs };\n        if (!canAsk) return { kind: 'unknown' };\n        row.state = 'undoing';`,
        `        if (!canAsk) return { kind: 'unknown' };\n        void waitMs;`,
      ),
    ],
  },
  {
    name: 'parkIsTerminal',
    wrong: 'A park ends the saga.',
    patches: [
      patch(
        STEP,
        `if (run.fate.committed || failure.class === 'bug' || isUnsettled) {`,
        `if (run.fate.committed || isUnsettled) {`,
      ),
      patch(
        'interpreter/undo.ts',
        `    const wish = (await run.parking.park(entry, reason, () => false)) as DecisionWish;`,
        `    if (reason) return;\n    const wish = {} as DecisionWish;`,
      ),
    ],
  },
  {
    name: 'lastCauseWins',
    wrong: 'A cancel during compensation takes the place of the cause.',
    patches: [patch(FATE, 'if (this.doom || this.past) return;', 'if (this.past) return;')],
  },
  {
    name: 'recordOverwrites',
    wrong: 'A late record takes the place of an undo.',
    patches: [
      patch(
        LEDGER,
        `if (row?.state !== 'claimed') return refused('fenced');\n    row.state = 'done';`,
        `if (!row) return refused('fenced');\n    row.state = 'done';`,
      ),
    ],
  },
  {
    name: 'retryRejected',
    wrong: 'A business no is tried again.',
    patches: [patch(VERDICT, `if (failure.class !== 'transient' ||`, `if (failure.class === 'bug' ||`)],
  },
  {
    name: 'bugCompensates',
    wrong: 'A programming error compensates.',
    patches: [
      patch(
        STEP,
        `if (run.fate.committed || failure.class === 'bug' || isUnsettled) {`,
        `if (run.fate.committed || isUnsettled) {`,
      ),
    ],
  },
  {
    name: 'forwardOnceDoomed',
    wrong: 'Steps are started although the saga is doomed.',
    patches: [
      patch(
        'interpreter/saga-run.ts',
        `  check(block: Block | undefined): void {\n    this.fate.check();`,
        `  check(block: Block | undefined): void {`,
      ),
      patch(
        'interpreter/for-each.ts',
        'while (next < count && failures.length === 0)',
        'while (next < count)',
      ),
    ],
  },
  {
    name: 'skipNoFence',
    wrong: 'A skipped step is not fenced: an attempt that began before may still act.',
    kind: 'errand',
    patches: [patch(LEDGER, `return whenQuiet(kept, claim, settled);`, `return settled;`)],
  },
  {
    name: 'noFinalUnlock',
    wrong: 'The terminal record leaves the job its locks.',
    kind: 'errand',
    patches: [patch(LEDGER, `      held.clear();\n`, ``)],
  },
  {
    name: 'correctedSameKey',
    wrong: 'Corrected arguments are tried under the key of those before.',
    patches: [
      patch(
        STEP,
        `drive(run, run.renewed(entry, next.args))`,
        `drive(run, Object.assign(entry, { args: next.args }))`,
      ),
    ],
  },
  {
    name: 'fencedPivotRetried',
    wrong: 'A pivot that proved not done is tried again under the key that is fenced.',
    patches: [patch('interpreter/decided.ts', `  if (entry.fenced) return { kind: 'anew', args };\n`, ``)],
  },
  {
    name: 'blindRetried',
    wrong: 'An effect nobody can tell of is tried again after a doubt.',
    kind: 'wager',
    patches: [
      patch(LEDGER, `    if (row.doubt && claim.effect === 'blind') return refused('in_doubt');\n`, ``),
    ],
  },
  {
    name: 'probedUnasked',
    wrong: 'An effect in doubt is tried again without its probe being asked.',
    kind: 'errand',
    patches: [
      patch(LEDGER, `const mustAsk = row.doubt && claim.effect === 'probed';`, `const mustAsk = false;`),
    ],
  },
  {
    name: 'orphans',
    wrong: 'A step with children is taken back while some of them are open.',
    kind: 'convoy',
    patches: [patch('attempt/undo.attempt.ts', `if (look.open > 0)`, `if (look.open > 1)`)],
  },
  {
    name: 'pivotNotCalledOff',
    wrong: 'A cancel lets a pivot begin that waits for a worker.',
    patches: [patch(FATE, `      this.onLatch();\n`, ``)],
  },
  {
    name: 'calledOffUnfenced',
    wrong: 'A pivot that was called off is taken for not done without a fence.',
    patches: [
      patch(
        STEP,
        `{ ...settled, failure: isOurs ? CALLED_OFF : CANCELLED_ALONE }`,
        `{ doubt: false, failure: isOurs ? CALLED_OFF : CANCELLED_ALONE }`,
      ),
    ],
  },
  {
    name: 'calledOffIsNo',
    wrong: 'A pivot that was called off is taken for not done, whatever an attempt before it left unknown.',
    patches: [
      patch(
        LEDGER,
        `row.state === 'claimed' && !row.doubt && row.leaseUntil === undefined;`,
        `row.state === 'claimed' && row.leaseUntil === undefined;`,
      ),
    ],
  },
  {
    name: 'undoSuperseded',
    wrong: 'An undo whose worker was taken for lost acts beside the one in its place.',
    kind: 'wager',
    patches: [
      patch(
        LEDGER,
        `if (row.state === 'undoing' && claim.attempt < row.undoAttempt) {`,
        `if (row.undoAttempt < 0) {`,
      ),
    ],
  },
  {
    name: 'continuedForgets',
    wrong: 'What was done before a saga went on in a new run is not undone in it.',
    continueAfter: 1,
    patches: [patch(RECALL, '...recorded.filter(', '...(isForward ? recorded : []).filter(')],
  },
  {
    name: 'continuedInFlight',
    wrong: 'A saga goes on in a new run while steps are in the air.',
    continueAfter: 2,
    patches: [
      patch(
        'interpreter/interpreter.ts',
        'if (run.isBusy) await quiet(run);',
        'if (run.isBusy && !run.handover.isUnderWay) await quiet(run);',
      ),
      patch('interpreter/for-each.ts', 'failures.push(error);', 'throw error;'),
    ],
  },
  {
    name: 'continuedRevived',
    wrong: 'A saga that is to go back goes forward again in a new run.',
    continueAfter: 1,
    patches: [patch(FATE, '...(this.doom ? { cause: this.doom } : {}),', '')],
  },
  {
    name: 'continuedReversed',
    wrong: 'The steps of the runs before are undone before those of the last, in the order of their names.',
    continueAfter: 2,
    patches: [patch(RECALL, '.sort((a, b) => a.seq - b.seq)', '.sort((a, b) => (a.name < b.name ? -1 : 1))')],
  },
];
