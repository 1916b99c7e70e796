/** `holding`: a block that runs while a holder keeps something open, undone and started over when that is lost. */
import { backoffMs } from '../backoff.js';
import { WORKER_STOPPED, type Failure } from '../failure.js';
import { itemOf, type Settled } from '../protocol.js';
import type { Running } from '../runtime.js';
import type { Block } from './block.js';
import type { Entry } from './journal.js';
import type { SagaRun } from './saga-run.js';
import { attemptsAfter, pacedMs, requestFor, summaryOf } from './attempts.js';
import { decidedAgainst } from './decided.js';
import { register } from './step.js';
import { undoAll } from './undo.js';

interface Hold {
  readonly entry: Entry;
  readonly running: Running;
  readonly output: unknown;
}

/** Runs `body` with what the holder announced; its result, once, or the saga's doom. */
export async function holdingBlock(
  run: SagaRun,
  name: string,
  args: unknown,
  options: { readonly startOver: number },
  body: (held: unknown) => Promise<unknown>,
): Promise<unknown> {
  if (run.recall.isOpen) {
    const before = run.recall.claim(name, undefined);
    if (before) return holdAgain(run, before.entry.output, body);
    await run.recall.closed(name);
  }
  let losses = run.losses.get(name) ?? 0;
  for (let isFirst = !run.losses.has(name); ; isFirst = false) {
    run.check(run.block);
    run.handover.check();
    const block = run.openBlock(!isFirst);
    const hold = await acquire(run, block, name, args);
    const ended = watch(run, block, hold);
    const outcome = await settle(body, hold.output);
    run.closeBlock(block);
    release(run, block, hold, ended);
    await run.flights.landed(block);
    if (!block.lost || run.fate.committed || run.fate.cause) return outcome();

    const isPlanned = wasStopped(await ended);
    const excuse = block.wasParked ? 'parked' : isPlanned ? 'stopped' : undefined;
    if (!excuse) losses += 1;
    sayWhy(run, hold.entry, excuse ?? losses, options.startOver);
    await undoAll(run, run.journal.undoable(block), false);
    run.losses.set(name, losses);
    run.journal.forget(hold.entry);
    const isLast = !excuse && losses > options.startOver;
    if (!run.fate.cause) await giveUpOrPark(run, block.lost, hold.entry, isLast);
  }
}

/** A block of a run before is over: everything in it answers as it did. */
async function holdAgain(
  run: SagaRun,
  held: unknown,
  body: (held: unknown) => Promise<unknown>,
): Promise<unknown> {
  run.check(run.block);
  const block = run.openBlock(false);
  try {
    return await body(held);
  } finally {
    run.closeBlock(block);
  }
}

/** Starts the holder and waits until it holds; until then it is retried like any step. */
async function acquire(run: SagaRun, block: Block, name: string, args: unknown): Promise<Hold> {
  try {
    const entry = register(run, name, args);
    return await run.flights.track(entry, untilReady(run, entry));
  } catch (error) {
    run.closeBlock(block);
    throw error;
  }
}

async function untilReady(run: SagaRun, entry: Entry): Promise<Hold> {
  const { retry } = entry.definition;
  for (let tries = 1; ;) {
    run.show(entry, 'waiting');
    const running = start(run, entry);
    const forget = run.flights.interruptible(entry, 'attempt', () => running.cancel());
    const first = await Promise.race([
      running.settled,
      running.ready.then((output) => ({ kind: 'ready' as const, output })),
    ]);
    forget();
    if (first.kind === 'ready') {
      run.show(entry, 'running');
      entry.attempts += 1;
      entry.output = first.output;
      return { entry, running, output: first.output };
    }
    entry.attempts = attemptsAfter(first, entry.attempts, 1);
    if (run.isOver(entry.block)) run.show(entry, 'failed');
    run.check(entry.block);
    if (first.kind === 'deferred') {
      await run.nap(entry, 'nap', pacedMs(entry, first.deferMs));
    } else {
      const failure = failureOf(entry, first);
      if (failure.class === 'bug') await park(run, entry, failure);
      else if (failure.class === 'rejected' || tries++ >= retry.attempts) {
        // Past the commit point nothing fails any more (S7).
        if (run.fate.committed) {
          await park(run, entry, failure);
          tries = 1;
        } else {
          run.show(entry, 'failed');
          run.fate.fail(failure);
        }
      } else {
        const backoff = backoffMs(retry, tries - 1, run.runtime.random());
        await run.nap(entry, 'sleep', Math.max(backoff, failure.retryAfterMs ?? 0));
      }
    }
    run.check(entry.block);
  }
}

function start(run: SagaRun, entry: Entry): Running {
  const { name, generation, definition: step, attempts: before } = entry;
  return run.runtime.start({
    step,
    activity: run.activityOf(name),
    summary: summaryOf(entry),
    request: {
      ...requestFor(run, entry, before, 1),
      role: 'step',
      args: entry.args,
      // Lost holders speak late: their word is known by its token.
      token: `${name}/${generation}/${before}`,
    },
  });
}

/** Notices the holder's end, and answers how it ended: before its release it is a loss. */
async function watch(run: SagaRun, block: Block, hold: Hold): Promise<Settled> {
  const settled = await hold.running.settled;
  run.show(hold.entry, block.released && !block.lost ? 'done' : 'failed');
  if (!block.released && !block.lost) {
    run.loseBlock(block, failureOf(hold.entry, settled));
  }
  return settled;
}

/** The body's outcome as a function that returns or throws it, to be asked when it is known to count. */
async function settle(body: (held: unknown) => Promise<unknown>, held: unknown): Promise<() => unknown> {
  try {
    const result = await body(held);
    return () => result;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/** Its end is awaited before the terminal record, but slows no step after the block. */
function release(run: SagaRun, block: Block, hold: Hold, ended: Promise<unknown>): void {
  block.released = true;
  hold.running.cancel();
  run.loose.add(ended);
  void ended.then(() => run.loose.delete(ended));
}

/** A part may have noticed first (`HoldLost`); whether it was planned, only the holder's own end says. */
function wasStopped(settled: Settled): boolean {
  return settled.kind === 'failed' && settled.failure.code === WORKER_STOPPED;
}

function sayWhy(run: SagaRun, holder: Entry, losses: number | 'parked' | 'stopped', times: number): void {
  if (losses === 'stopped') run.say(`Starting over: the worker of ${holder.label} was stopped`);
  else if (losses === 'parked')
    run.say(`Starting over: ${holder.label} was lost while a person was waited for`);
  else if (losses > times) run.say(`${holder.label} was lost ${losses} times; giving up`);
  else run.say(`Starting over (${losses} of ${times}): ${holder.label} was lost`);
}

async function giveUpOrPark(run: SagaRun, lost: Failure, holder: Entry, isLast: boolean): Promise<void> {
  if (lost.class === 'bug') await park(run, holder, lost);
  else if (isLast) run.fate.fail(lost);
}

async function park(run: SagaRun, entry: Entry, failure: Failure): Promise<void> {
  run.show(entry, 'parked');
  const outer = entry.block?.lost ? entry.block.parent : entry.block;
  const reason = { undo: false, doubt: false, committed: run.fate.committed, failure };
  const wish = await run.parking.park(entry, reason, () => run.isOver(outer));
  if (typeof wish === 'object' && wish.decision === 'compensate') run.fate.fail(decidedAgainst(entry));
  if (run.isOver(outer)) run.show(entry, 'failed');
}

function failureOf(entry: Entry, settled: Settled): Failure {
  const failure: Failure =
    settled.kind === 'failed'
      ? settled.failure
      : {
          class: 'transient',
          certainty: 'no',
          code: 'hold_ended',
          message: `Step ${entry.label} ended by itself while the saga still needed what it held.`,
        };
  return { ...failure, step: entry.name, ...itemOf(entry) };
}
