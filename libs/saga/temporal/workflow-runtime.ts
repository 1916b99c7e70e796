/** The runtime on Temporal, inside the workflow sandbox: series of attempts are activities, retried by the server. */
import {
  CancellationScope,
  isCancellation,
  patched,
  proxyActivities,
  setCurrentDetails,
  sleep,
  workflowInfo,
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
  RECALL_ACTIVITY,
  RULE_ACTIVITY,
  SETTLE_ACTIVITY,
  UNPARK_ACTIVITY,
  type EngineActivities,
} from './engine.js';
import { createScopePool } from './scopes.js';
import { settledOf } from './settled.js';

export interface TemporalRuntime extends Runtime {
  /** A holder's word, from the signal; of a lost holder it counts for nothing. */
  holderReady(word: HolderReady): void;
}

type Activities = Readonly<Record<string, (request: unknown) => Promise<unknown>>>;

export interface TemporalRuntimeOptions {
  /** From how many events a history is long. Default: when the server suggests to continue as new. */
  readonly historyEventsMax?: number;
}

/** What was read back may be long enough for the server to suggest it at once: each run must get on. */
const PROGRESS_EVENTS_MIN = 1_000;

export function createTemporalRuntime(
  definition: AnyJobDefinition,
  job: JobRef,
  { historyEventsMax = Infinity }: TemporalRuntimeOptions,
): TemporalRuntime {
  const awaited = new Map<string, (output: unknown) => void>();
  const scopes = createScopePool();
  let lengthAtStart = 0;
  const engine = (summary?: string) => proxyActivities<EngineActivities>(bookkeepingOptions(summary));

  function start(call: Call): Running {
    // A cancellable scope of its own; the engine itself runs in a root that nothing cancels.
    const scope = scopes.lend();
    const options = activityOptionsOf(definition, call);
    const run = proxyActivities<Activities>(options)[call.activity ?? SETTLE_ACTIVITY]!;
    // Only a holder has a word to say. Every promise costs the sandbox a stack trace, so there are no more than needed.
    const token = (call.request as Partial<StepRequest>).token;
    const word = token === undefined ? undefined : Promise.withResolvers<unknown>();
    if (token !== undefined && word) awaited.set(token, word.resolve);
    const ended = <R>(settled: R): R => {
      scope.giveBack();
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
    patched,
    start,
    isHistoryLong() {
      const { continueAsNewSuggested, historyLength } = workflowInfo();
      const grown = historyLength - lengthAtStart;
      return grown >= historyEventsMax || (continueAsNewSuggested && grown >= PROGRESS_EVENTS_MIN);
    },
    async recall(request) {
      const page = await engine(`recall from ${request.after}`)[RECALL_ACTIVITY]({ job, recall: request });
      lengthAtStart = workflowInfo().historyLength;
      return page;
    },
    park: (letter) => engine(`park ${letter.number}: ${letter.step}`)[PARK_ACTIVITY]({ job, letter }),
    unpark: (unparking) => engine(`unpark ${unparking.number}`)[UNPARK_ACTIVITY]({ job, unparking }),
    rule: (ruling) => engine(`${ruling.ruling} ${ruling.step}`)[RULE_ACTIVITY]({ job, ruling }),
    // What it records, the workflow's own end says next.
    finish: (end) => engine()[FINISH_ACTIVITY]({ job, end }),
    changed: (state) => setCurrentDetails(detailsOf(state)),
    holderReady: ({ token, output }) => awaited.get(token)?.(output),
  };
}
