/** The runtime on Temporal, inside the workflow sandbox: series of attempts are activities, retried by the server. */
import {
  CancellationScope,
  isCancellation,
  patched,
  proxyActivities,
  setCurrentDetails,
  sleep,
} from '@temporalio/workflow';
import type { AnyJobDefinition } from '../define.js';
import type { JobRef } from '../implement.js';
import type { HolderReady, StepRequest } from '../protocol.js';
import type { Call, Running, Runtime } from '../runtime.js';
import { activityOptionsOf, bookkeepingOptions } from './activity-options.js';
import { detailsOf } from './details.js';
import {
  FINISH_ACTIVITY,
  PARK_ACTIVITY,
  RULE_ACTIVITY,
  SETTLE_ACTIVITY,
  UNPARK_ACTIVITY,
  type EngineActivities,
} from './engine.js';
import { settledOf } from './settled.js';

export interface TemporalRuntime extends Runtime {
  /** A holder's word, from the signal; of a lost holder it counts for nothing. */
  holderReady(word: HolderReady): void;
}

type Activities = Readonly<Record<string, (request: unknown) => Promise<unknown>>>;

export function createTemporalRuntime(definition: AnyJobDefinition, job: JobRef): TemporalRuntime {
  const awaited = new Map<string, (output: unknown) => void>();
  const changes = new Map<string, boolean>();
  const engine = (summary: string) => proxyActivities<EngineActivities>(bookkeepingOptions(summary));

  function start(call: Call): Running {
    // One cancellable scope an attempt; the engine itself runs in a root that nothing cancels.
    const scope = new CancellationScope({ cancellable: true });
    const options = activityOptionsOf(definition, call);
    const run = proxyActivities<Activities>(options)[call.activity ?? SETTLE_ACTIVITY]!;
    // Only a holder has a word to say. Every promise costs the sandbox a stack trace, so there are no more than needed.
    const token = (call.request as Partial<StepRequest>).token;
    const word = token === undefined ? undefined : Promise.withResolvers<unknown>();
    if (token !== undefined && word) awaited.set(token, word.resolve);
    const ended = <R>(settled: R): R => {
      if (token !== undefined) awaited.delete(token);
      return settled;
    };
    const settled = scope
      .run(() => run(call.request))
      .then(
        (output) => ended({ kind: 'done', output } as const),
        (error: unknown) => ended(settledOf(error, call)),
      );
    return {
      settled,
      get ready() {
        return word?.promise ?? new Promise<never>(() => undefined);
      },
      cancel: () => scope.cancel(),
    };
  }

  return {
    now: () => Date.now(),
    random: () => Math.random(),
    sleep: (ms) => sleep(ms),
    timer(ms) {
      const scope = new CancellationScope({ cancellable: true });
      const elapsed = scope
        .run(() => sleep(ms))
        .catch((error: unknown) => {
          if (!isCancellation(error)) throw error;
        });
      return { elapsed, cancel: () => scope.cancel() };
    },
    patched(change) {
      // Asked again later, Temporal's own would say yes to a job that went the old way at first.
      const answer = changes.get(change) ?? patched(change);
      changes.set(change, answer);
      return answer;
    },
    start,
    park: (letter) => engine(`park ${letter.number}: ${letter.step}`)[PARK_ACTIVITY]({ job, letter }),
    unpark: (unparking) => engine(`unpark ${unparking.number}`)[UNPARK_ACTIVITY]({ job, unparking }),
    rule: (ruling) => engine(`${ruling.ruling} ${ruling.step}`)[RULE_ACTIVITY]({ job, ruling }),
    finish: (end) => engine(`record ${end.status}`)[FINISH_ACTIVITY]({ job, end }),
    changed: (state) => setCurrentDetails(detailsOf(state)),
    holderReady: ({ token, output }) => awaited.get(token)?.(output),
  };
}
