/** Replays stored histories against workflow code, without a server. */
import { fileURLToPath } from 'node:url';
import {
  bundleWorkflowCode,
  DefaultLogger,
  makeTelemetryFilterString,
  Runtime,
  Worker,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import { bundleOptions } from '../../libs/temporal/bundle-options.js';
import { failureConverterPath } from '../../libs/temporal/data-converter.js';
import { workflowIdOf, type StoredHistory } from './stored-history.js';
import { testCodec } from './test-key.js';

/** Quiet: a violation is an answer here, not an accident. */
export function quietRuntime(): void {
  Runtime.install({
    shutdownSignals: [],
    logger: new DefaultLogger('ERROR', () => undefined),
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR', other: 'ERROR' }) } },
  });
}

/** Bundles a file of this folder as production is bundled. */
export function bundleWorkflows(file: string): Promise<WorkflowBundleWithSourceMap> {
  return bundleWorkflowCode({
    ...bundleOptions(fileURLToPath(new URL(`./${file}`, import.meta.url))),
    logger: new DefaultLogger('WARN'),
  });
}

/** Replays all with one worker; what is wrong with each, in their order. */
export async function replayAll(
  workflowBundle: WorkflowBundleWithSourceMap,
  histories: readonly StoredHistory[],
): Promise<(Error | undefined)[]> {
  const dataConverter = { payloadCodecs: [testCodec()], failureConverterPath };
  // Histories of one job may be among them more than once; what comes after the slash is nobody's concern.
  const named = histories.map((history, at) => ({ workflowId: `${workflowIdOf(history)}/${at}`, history }));
  const errors = new Map<string, Error | undefined>();
  for await (const { workflowId, error } of Worker.runReplayHistories(
    { workflowBundle, dataConverter },
    named,
  )) {
    errors.set(workflowId, error);
  }
  return named.map(({ workflowId }) => {
    if (!errors.has(workflowId)) throw new Error(`The history of ${workflowId} was not replayed`);
    return errors.get(workflowId);
  });
}

/** The same history, as if another workflow of the bundle had made it. */
export function asOf(workflowType: string, { events }: StoredHistory): StoredHistory {
  const key = 'workflowExecutionStartedEventAttributes';
  const [started, ...rest] = events;
  if (!started) throw new Error('The history is empty');
  const attributes = { ...(started[key] as object), workflowType: { name: workflowType } };
  return { events: [{ ...started, [key]: attributes }, ...rest] };
}
