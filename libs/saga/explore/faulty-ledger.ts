/** The ledger as one attempt reaches it: through a worker and a network that fail as the schedule chooses. */
import { Transient } from '../failure.js';
import type { JobRef, OwnTransaction, StepProgress, Transaction, UndoOutcome } from '../implement.js';
import type {
  AttemptReport,
  Claim,
  ClaimAnswer,
  Completion,
  Ledger,
  OwnOutcome,
  RulingClaim,
  SettleAnswer,
  SettleClaim,
  SettleRef,
  UndoAnswer,
  UndoClaim,
} from '../ledger.js';
import type {
  DeadLetter,
  EffectRef,
  RecalledPage,
  RecallRequest,
  RulingAnswer,
  SagaEnd,
  Settlement,
  Unparking,
} from '../protocol.js';
import type { Choices, Option } from './choices.js';
import * as F from './faults.js';
import type { Lifeline } from './lifeline.js';

/** Where an attempt runs. */
export interface Worker {
  /** The attempt's, for stories. */
  readonly name: string;
  readonly lose: () => void;
  /** The server gives it up, but it goes on, much later: resolves then. */
  readonly freeze: (ref: EffectRef) => Promise<void>;
  readonly lifeline: Lifeline;
}

const GONE = Symbol('the connection is gone');

/** Each its own: a promise that is waited for and never settles would remember everybody who waits. */
export const never = (): Promise<never> => new Promise(() => undefined);

export class FaultyLedger implements Ledger {
  constructor(
    private readonly whole: Ledger,
    private readonly choices: Choices,
    private readonly worker: Worker,
  ) {}

  claim(claim: Claim): Promise<ClaimAnswer> {
    return this.through('claim', F.CLAIM_FAULTS, () => this.whole.claim(claim), claim);
  }

  complete(claim: Claim, outcome: unknown, progress?: StepProgress): Promise<Completion> {
    const record = () => this.whole.complete(claim, outcome, progress);
    return this.through('record', F.LATE_RECORD_FAULTS, record, claim);
  }

  fail(claim: Claim, report: AttemptReport): Promise<{ readonly doubt: boolean }> {
    return this.through('report', F.REPORT_FAULTS, () => this.whole.fail(claim, report));
  }

  transact(
    claim: Claim,
    work: (tx: OwnTransaction) => Promise<OwnOutcome>,
  ): Promise<ClaimAnswer | Completion> {
    const connected = (tx: OwnTransaction) => this.whileConnected(work(tx));
    return this.through('transaction', F.RECORD_FAULTS, () => this.whole.transact(claim, connected));
  }

  beginUndo(claim: UndoClaim): Promise<UndoAnswer> {
    return this.through('claim', F.CLAIM_FAULTS, () => this.whole.beginUndo(claim), claim);
  }

  completeUndo(claim: UndoClaim, outcome: UndoOutcome): Promise<void> {
    return this.through('record', F.RECORD_FAULTS, () => this.whole.completeUndo(claim, outcome));
  }

  failUndo(claim: UndoClaim, report: AttemptReport): Promise<void> {
    return this.through('report', F.REPORT_FAULTS, () => this.whole.failUndo(claim, report));
  }

  transactUndo(
    claim: UndoClaim,
    work: (tx: Transaction, args: unknown) => Promise<UndoOutcome>,
  ): Promise<UndoAnswer> {
    const connected = (tx: Transaction, args: unknown) => this.whileConnected(work(tx, args));
    return this.through('transaction', F.RECORD_FAULTS, () => this.whole.transactUndo(claim, connected));
  }

  beginSettle(claim: SettleClaim, canAsk: boolean): Promise<SettleAnswer> {
    return this.through('claim', F.SETTLE_CLAIM_FAULTS, () => this.whole.beginSettle(claim, canAsk));
  }

  completeSettle(ref: SettleRef, settlement: Settlement): Promise<void> {
    return this.through('record', F.RECORD_FAULTS, () => this.whole.completeSettle(ref, settlement));
  }

  progress(claim: Claim, progress: StepProgress): Promise<void> {
    return this.whole.progress(claim, progress);
  }

  recall(job: JobRef, request: RecallRequest): Promise<RecalledPage> {
    return this.whole.recall(job, request);
  }

  park(job: JobRef, letter: DeadLetter): Promise<void> {
    return this.whole.park(job, letter);
  }

  unpark(job: JobRef, unparking: Unparking): Promise<void> {
    return this.whole.unpark(job, unparking);
  }

  rule(claim: RulingClaim): Promise<RulingAnswer> {
    return this.whole.rule(claim);
  }

  finish(job: JobRef, end: SagaEnd): Promise<{ readonly recorded: boolean }> {
    return this.whole.finish(job, end);
  }

  private async through<R>(
    what: string,
    options: readonly Option[],
    work: () => Promise<R>,
    ref?: EffectRef,
  ): Promise<R> {
    const { worker } = this;
    if (worker.lifeline.isLost) return never();
    const chosen = this.choices.choose(() => `${worker.name}: ${what}`, options);
    if (chosen === F.AWAY) throw away();
    if (chosen === F.RECORD_WORKER_LOST) {
      worker.lose();
      return never();
    }
    if (chosen === F.FROZEN && ref) await worker.freeze(ref);
    const answer = await work();
    if (worker.lifeline.isLost) return never();
    if (chosen === F.KEPT) throw away();
    if (chosen === F.KEPT_WORKER_LOST) {
      worker.lose();
      return never();
    }
    return answer;
  }

  /** A database ends the transaction of a connection that is gone. */
  private async whileConnected<R>(work: Promise<R>): Promise<R> {
    const answer = await this.worker.lifeline.until(work, GONE);
    if (answer === GONE)
      throw new Transient('connection_lost', 'The connection is gone', { certainty: 'unknown' });
    return answer;
  }
}

function away(): Transient {
  return new Transient('ledger_away', 'The ledger is away', { certainty: 'unknown' });
}
