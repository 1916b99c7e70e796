/** What the calls of a recorded job do when they do not go well. */
import { Context } from '@temporalio/activity';
import { Denied, Rejected, Transient } from '../../libs/saga/failure.js';
import { untilAborted, type Script } from './faked-kind.js';
import type { Control } from './shape.js';

/** A business no. */
export const no = (): never => {
  throw new Rejected('declined', 'A business no');
};
/** A right is missing. */
export const denied = (): never => {
  throw new Denied('denied', 'No right to do that');
};
/** The answer is lost, or never comes. */
export const unheard = (): never => {
  throw new Transient('no_answer', 'The answer never came', { certainty: 'unknown', retryAfterMs: 10 });
};
/** From the second attempt on, so that a doubt of the first is not drawn out by retries. */
export const noAgain: Script = ({ attempt }) => {
  if (attempt > 1) no();
};
/** Not done, and worth another try. */
export const down = (): never => {
  throw new Transient('down', 'Try later', { certainty: 'no', retryAfterMs: 10 });
};
/** Down at the first attempt. */
export const failsOnce: Script = ({ attempt }) => {
  if (attempt === 1) down();
};
/** Works until it is told to end. */
export const hangs: Script = async (call) => {
  await untilAborted(call);
  call.signal.throwIfAborted();
};

/** Cancels, and goes on when the server has told this attempt so, of which a pivot takes no notice. */
export const cancelHeard = async (control: Control): Promise<void> => {
  await control.cancel();
  await Context.current().cancelled.catch(() => 'as asked');
};

const IN_BACKOFF_MS = 500;
/** Fails, and cancels when another attempt is waited for. */
export const cancelInBackoff = (control: Control): never => {
  setTimeout(() => void control.cancel(), IN_BACKOFF_MS);
  throw new Transient('down', 'Try much later', { certainty: 'no', retryAfterMs: 600_000 });
};

/** `script` under the first key only: a corrected step goes well. */
export const atFirst =
  (script: Script): Script =>
  (call) =>
    call.generation === 0 ? script(call) : undefined;

/** `script` at the first call only, whichever attempt of whichever scheduling that is. */
export const onceEver = (script: Script): Script => {
  let isOver = false;
  return (call) => {
    if (isOver) return;
    isOver = true;
    return script(call);
  };
};

/** Its worker says nothing any more, neither now nor when it is told to end. */
export const lostWorker: Script = () => {
  Object.assign(Context.current(), { heartbeat: () => undefined });
  return new Promise<never>(() => undefined);
};
