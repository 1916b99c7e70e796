/** One attempt to settle a pivot in doubt: fence, ledger, probe (S5, S6). */
import type { Step } from '../define.js';
import type { ProbeOutcome } from '../implement.js';
import { type SettleRequest, type Settlement, type Verdict } from '../protocol.js';
import { callContext, parseOutput } from './context.js';
import { UNDO_TIMEOUT_MS } from './limits.js';
import { openTimeBox } from './time-box.js';
import { beforeActing, endingOf, inputOf, recordLost } from './verdict.js';
import type { Host, Kind, World } from './world.js';

/** Runs one attempt; never throws. Its output is a {@link Settlement}. */
export async function attemptSettle(
  kind: Kind,
  request: SettleRequest,
  host: Host,
  world: World,
): Promise<Verdict> {
  const step = (kind.definition.steps as Readonly<Record<string, Step>>)[request.step] as Step;
  const timer = (ms: number, fire: () => void) => world.timer(ms, fire);
  const box = openTimeBox({ timeoutMs: UNDO_TIMEOUT_MS, host, timer });
  const ref = {
    job: request.job,
    step: request.step,
    item: request.item,
    generation: request.generation,
    seq: request.seq,
  };
  const settled = (output: Settlement): Verdict => ({ kind: 'done', output });
  const attempt = request.before + host.attempt;
  try {
    const claim = { ...ref, effect: step.effect };
    const answer = await beforeActing(world, () => world.ledger.beginSettle(claim, step.probe !== undefined));
    if (answer.kind === 'settled') return settled(answer.settlement);
    if (answer.kind === 'unknown') return settled({ verdict: 'unknown' });
    if (answer.kind === 'wait') {
      return { kind: 'deferred', deferMs: answer.waitMs, doubt: true, attempt: attempt - 1 };
    }
    const input = await inputOf(world, request);
    const context = callContext(request, host, input, box.signal);
    const probe = kind.probes[step.probe as string] as Kind['probes'][string];
    const found = settlementOf(await box.run(() => probe(answer.args, context)));
    await world.ledger.completeSettle(ref, found).catch((error: unknown) => {
      throw recordLost(error, 'unknown');
    });
    return settled(found);
  } catch (error) {
    return endingOf(error, {
      request,
      host,
      world,
      policy: step.retry,
      whenUnknown: 'unknown',
      isRepeatable: true,
      interruption: box.interruption,
    }).verdict(true);
  } finally {
    box.close();
  }

  function settlementOf(found: ProbeOutcome<unknown>): Settlement {
    if (!found.happened) return { verdict: 'not_happened' };
    return { verdict: 'happened', output: parseOutput(step, request.step, found.output) };
  }
}
