/** The effect ledger in PostgreSQL (role worker): each method one call of one SQL function, see 0002_ledger.sql and 0009_decisions.sql. */
import { v7 as uuidv7 } from 'uuid';
import { isElsewhere } from '../saga/define.js';
import { Rejected, Transient, type Certainty } from '../saga/failure.js';
import type { JobRef, OwnTransaction, StepProgress, Transaction, UndoOutcome } from '../saga/implement.js';
import type {
  Claim,
  ClaimAnswer,
  Completion,
  Ledger,
  RulingClaim,
  SettleAnswer,
  SettleClaim,
  SettleRef,
  UndoAnswer,
  UndoClaim,
} from '../saga/ledger.js';
import type { RulingAnswer } from '../saga/protocol.js';
import { inTransaction, type Connection, type Database } from './database.js';
import { tellJobEnd } from './job-ends.js';
import { toStepFailure } from './postgres-failure.js';

/** How a client's data is sealed before it is stored: the result, here. */
export type Seal = (job: JobRef, purpose: 'result', value: unknown) => Promise<Buffer>;

const NO_ITEM = -1;
/** An `own` effect that idles in its transaction would hold the undo up (SAGA_RULES, ledger). */
const BEGIN = `begin; set local idle_in_transaction_session_timeout = '30s'`;

interface Querying {
  query: Database['query'] | Connection['query'];
}

/** A ledger over `database`, which must act as longhaul_worker. */
export function createLedgerStore(database: Database, seal: Seal): Ledger {
  /** One function, one round trip. A broken connection before the effect did nothing. */
  async function call<R>(on: Querying, name: string, values: readonly unknown[], whenLost: Certainty = 'no') {
    const places = values.map((_, index) => `$${index + 1}`).join(', ');
    try {
      const { rows } = await (on as Database).query<{ answer: R }>({
        name: `ledger_${name}`,
        text: `select longhaul.${name}(${places}) as answer`,
        values: [...values],
      });
      return (rows[0] as { answer: R }).answer;
    } catch (error) {
      throw toStepFailure(error, `The ledger's ${name}`, whenLost);
    }
  }

  const claimOn = (on: Querying, claim: Claim) =>
    call<ClaimAnswer>(on, 'claim_effect', [claim.job.tenantId, refJson(claim)]);
  const completeOn = (on: Querying, claim: Claim, outcome: unknown, progress?: StepProgress) =>
    call<Completion>(
      on,
      'complete_effect',
      [claim.job.tenantId, refJson(claim), json(outcome), progress === undefined ? null : told(progress)],
      isElsewhere(claim.effect) ? 'unknown' : 'no',
    );
  const beginUndoOn = (on: Querying, claim: UndoClaim) =>
    call<UndoAnswer>(on, 'begin_undo', [claim.job.tenantId, refJson(claim)]);

  const completeUndoOn = async (
    on: Querying,
    claim: UndoClaim,
    outcome: UndoOutcome,
    whenLost: Certainty,
  ) => {
    const kept = typeof outcome === 'object' ? told(outcome) : null;
    await call(on, 'complete_undo', [claim.job.tenantId, refJson(claim), kept], whenLost);
  };

  return {
    claim: (claim) => claimOn(database, claim),

    complete: (claim, outcome, progress) => completeOn(database, claim, outcome, progress),

    async fail(claim, report) {
      const values = [claim.job.tenantId, refJson(claim), told(report)];
      return { doubt: await call<boolean>(database, 'fail_effect', values) };
    },

    async progress(claim, progress) {
      await call(database, 'report_progress', [claim.job.tenantId, refJson(claim), told(progress)]);
    },

    async transact(claim, work) {
      return committing(async (connection): Promise<ClaimAnswer | Completion> => {
        const answer = await claimOn(connection, claim);
        if (answer.kind !== 'claimed') return answer;
        const { outcome, progress } = await work(ownTransactionOf(connection, claim.job));
        return completeOn(connection, claim, outcome, progress);
      });
    },

    beginUndo: (claim) => beginUndoOn(database, claim),

    completeUndo: (claim, outcome) => completeUndoOn(database, claim, outcome, 'unknown'),

    async failUndo(claim, report) {
      await call(database, 'fail_undo', [claim.job.tenantId, refJson(claim), told(report)]);
    },

    async transactUndo(claim, work) {
      return committing(async (connection) => {
        const answer = await beginUndoOn(connection, claim);
        if (answer.kind !== 'go') return answer;
        await completeUndoOn(connection, claim, await work(transactionOf(connection), answer.args), 'no');
        return answer;
      });
    },

    beginSettle: (claim, canAsk) =>
      call<SettleAnswer>(database, 'begin_settle', [claim.job.tenantId, refJson(claim), canAsk]),

    async completeSettle(ref, settlement) {
      const happened = settlement.verdict === 'happened';
      const outcome = happened ? json(settlement.output) : null;
      await call(database, 'complete_settle', [ref.job.tenantId, refJson(ref), happened, outcome], 'unknown');
    },

    async park(job, letter) {
      const values = [job.tenantId, job.id, uuidv7(), told({ ...letter, item: letter.item ?? NO_ITEM })];
      await call(database, 'park_job', values);
    },

    async unpark(job, unparking) {
      await call(database, 'unpark_job', [job.tenantId, job.id, told(unparking)]);
    },

    rule: (claim) => call<RulingAnswer>(database, 'rule_effect', [claim.job.tenantId, refJson(claim)]),

    async finish(job, end) {
      const { result, ...ending } = end.status === 'SUCCEEDED' ? end : { ...end, result: undefined };
      const sealed = result === undefined ? null : await seal(job, 'result', result);
      const values = [job.tenantId, job.id, told(ending), sealed];
      const recorded = await call<boolean>(database, 'finish_job', values);
      if (recorded) tellJobEnd(database, job.id);
      return { recorded };
    },
  };

  function ownTransactionOf(connection: Connection, job: JobRef): OwnTransaction {
    return {
      ...transactionOf(connection),
      async lock(name) {
        const isOurs = await call<boolean>(connection, 'take_lock', [job.tenantId, job.id, name]);
        if (!isOurs) throw new Rejected('locked', `Another job holds the lock "${name}"`);
      },
    };
  }

  /** A transaction whose commit's answer may be lost: then nobody knows, until the row is looked at again. */
  async function committing<R>(work: (connection: Connection) => Promise<R>): Promise<R> {
    let isWorkDone = false;
    try {
      return await inTransaction(
        database,
        async (connection) => {
          const result = await work(connection);
          isWorkDone = true;
          return result;
        },
        BEGIN,
      );
    } catch (error) {
      if (!isWorkDone) throw toStepFailure(error, 'The transaction', 'no');
      throw new Transient('commit_lost', 'The commit was not answered', {
        certainty: 'unknown',
        cause: error,
      });
    }
  }
}

/** The author's view of the connection: queries only, and the drivers' errors with their class. */
function transactionOf(connection: Connection): Transaction {
  return {
    async query<R extends object>(text: string, values: readonly unknown[] = []) {
      try {
        const { rows, rowCount } = await connection.query<R>(text, [...values]);
        return { rows, rowCount };
      } catch (error) {
        throw toStepFailure(error, 'The step', 'no');
      }
    },
  };
}

/**
 * JSON of what is told to people. PostgreSQL takes neither NUL nor half a surrogate pair, and a provider's words, or
 * where they were cut, must not keep a job from its end. Arguments and outcomes are data: those it refuses stay refused.
 */
function told(value: object): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'string' ? part.replaceAll('\0', '\ufffd').toWellFormed() : part,
  );
}

/** SQL null for undefined, so that an absent outcome comes back absent. */
function json(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

/** What travels to the SQL functions: the tenant goes beside it. */
function refJson(ref: Claim | UndoClaim | SettleRef | SettleClaim | RulingClaim): string {
  const { job, item, ...rest } = ref;
  return JSON.stringify({ ...rest, job: job.id, item: item ?? NO_ITEM });
}
