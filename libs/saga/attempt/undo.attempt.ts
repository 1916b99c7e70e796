/** One attempt of an undo: fence, reverse, `undone` (S2, S4, S5). */
import { CHILDREN_LOOK_MS, outputOf } from '../child-jobs.js';
import type { Step } from '../define.js';
import { Deferred } from '../failure.js';
import type { Transaction, UndoOutcome } from '../implement.js';
import type { UndoClaim } from '../ledger.js';
import { type UndoRequest, type Verdict } from '../protocol.js';
import { callContext, guarded, undoContext } from './context.js';
import { leaseMsOf, UNDO_TIMEOUT_MS } from './limits.js';
import { openTimeBox } from './time-box.js';
import { beforeActing, endingOf, inputOf, ledgerAway, recordLost, tellUnreported } from './verdict.js';
import type { Host, Kind, World } from './world.js';

/** Behind the fence some are open still: they are cancelled, and looked at again when they have ended. */
class ChildrenOpen extends Deferred {}

const CANCEL_REASON = 'The job that started it is taken back.';

/** Runs one attempt; never throws. Its output says whether there was anything to undo. */
export async function attemptUndo(
  kind: Kind,
  request: UndoRequest,
  host: Host,
  world: World,
): Promise<Verdict> {
  const step = (kind.definition.steps as Readonly<Record<string, Step>>)[request.step] as Step;
  const undo = step.undo as string;
  const claim: UndoClaim = {
    job: request.job,
    step: request.step,
    item: request.item,
    generation: request.generation,
    seq: request.seq,
    effect: step.effect,
    undo,
    attempt: request.before + host.attempt,
    leaseMs: leaseMsOf(UNDO_TIMEOUT_MS),
    awaitsLease: step.undoFence === 'lease',
    compensating: request.compensating,
    insists: request.insists === true && host.attempt === 1,
  };
  const timer = (ms: number, fire: () => void) => world.timer(ms, fire);
  const box = openTimeBox({ timeoutMs: UNDO_TIMEOUT_MS, host, timer });
  const reverse = async (args: unknown, open?: Parameters<typeof guarded>[0]): Promise<UndoOutcome> => {
    const input = await inputOf(world, request);
    const transaction = open && guarded(open);
    const context = undoContext(request, host, input, box.signal, transaction?.tx);
    const children = step.children && (await endedChildren(step.children, transaction?.tx));
    const work = kind.undos[undo] as Kind['undos'][string];
    const probe = step.effect === 'probed' ? kind.probes[step.probe as string] : undefined;
    try {
      return await box.run(async () => {
        // Whether it was done, or undone by an attempt before, only the provider can tell.
        const found = await probe?.(args, callContext(request, host, input, box.signal));
        return found && !found.happened ? 'noop' : work(args, Object.assign(context, children));
      });
    } finally {
      transaction?.close();
    }
  };

  try {
    if (step.effect === 'own') {
      let outcome: UndoOutcome | undefined;
      const transaction = world.ledger.transactUndo(claim, async (tx, args) => {
        outcome = 'undone';
        return (outcome = await reverse(args, tx));
      });
      const answer = await transaction.catch(async (error: unknown) => {
        // Beside the transaction: that is rolled back, and a wish in it would be none.
        if (error instanceof ChildrenOpen)
          await beforeActing(world, () => world.children.cancel(claim, CANCEL_REASON));
        throw outcome === undefined ? ledgerAway(world, error) : error;
      });
      if (answer.kind === 'wait') return wait(answer.waitMs);
      return { kind: 'done', output: answer.kind === 'noop' ? outcomeOf(answer) : outcome };
    }
    const answer = await beforeActing(world, () => world.ledger.beginUndo(claim));
    if (answer.kind === 'noop') return { kind: 'done', output: outcomeOf(answer) };
    if (answer.kind === 'wait') return wait(answer.waitMs);
    if (answer.kind === 'in_doubt') return inDoubt();
    const outcome = await reverse(answer.args);
    await world.ledger.completeUndo(claim, outcome).catch((error: unknown) => {
      throw recordLost(error, 'unknown');
    });
    return { kind: 'done', output: outcome };
  } catch (error) {
    const ending = endingOf(error, {
      request,
      host,
      world,
      policy: step.undoRetry,
      whenUnknown: 'unknown',
      isRepeatable: step.effect !== 'blind',
      interruption: box.interruption,
    });
    if (ending.report) {
      await world.ledger
        .failUndo(claim, ending.report)
        .catch((lost: unknown) => tellUnreported(world, request, claim.attempt, lost));
    }
    return ending.verdict(true);
  } finally {
    box.close();
  }

  /** Throws while one is open: what it still does is not known yet. */
  async function endedChildren(of: NonNullable<Step['children']>, tx?: Transaction) {
    const look = await world.children.look(claim, of, tx);
    if (look.open > 0) throw new ChildrenOpen(CHILDREN_LOOK_MS, `${look.open} children have not ended yet`);
    return { ended: outputOf(look, of) };
  }

  function wait(deferMs: number): Verdict {
    return { kind: 'deferred', deferMs, doubt: true, attempt: claim.attempt - 1 };
  }

  /** An undo that left something is told so again, where the first answer was lost. */
  function outcomeOf({ kept }: { readonly kept?: string }): UndoOutcome {
    return kept === undefined ? 'noop' : { kept };
  }

  function inDoubt(): Verdict {
    const failure = {
      class: 'transient',
      certainty: 'unknown',
      code: 'in_doubt',
      message: 'Nobody can tell whether there is anything to undo, and undoing nothing is not safe.',
    } as const;
    return { kind: 'failed', failure, doubt: true, attempt: claim.attempt };
  }
}
