/**
 * `npm run histories:record [-- [--again] KIND…]`: records what the present release's histories lack, or all of them
 * again, on a server of its own.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { bundleWorkflowCode, DefaultLogger, Runtime } from '@temporalio/worker';
import { findTemporalCli } from '../../libs/embedded/temporal-binary.js';
import { SCHEDULED_RUN_WORKFLOW } from '../../libs/schedules/schedule-sync.js';
import { recordedKinds, type RecordedKind } from './recorded-kinds.js';
import { recordRuns, runShapes } from './recorded-runs.js';
import { bundleOptions } from '../../libs/temporal/bundle-options.js';
import { createRecorder, IDENTITY, jobIdOf } from './recorder.js';
import type { Shape } from './shape.js';
import { readHistory, refuseIfReleased, storedShapes, writeHistories } from './stored-history.js';
import { sealOnly, testCodec } from './test-key.js';

const AT_ONCE_MAX = 8;
type Entry = Parameters<typeof writeHistories>[2][number];

Runtime.install({ logger: new DefaultLogger('ERROR') });

const read = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../../${name}`, import.meta.url)), 'utf8');
const failureConverterPath = fileURLToPath(new URL('./stackless.failure-converter.ts', import.meta.url));
const { version } = JSON.parse(read('package.json')) as { version: string };
refuseIfReleased(version, read('CHANGELOG.md'));
const names = process.argv.slice(2);
const isAgain = names.includes('--again');
const wanted = names.filter((name) => name !== '--again');
const kinds = chosen(wanted);
const kept = new Map(
  storedShapes()
    .filter(({ release }) => !isAgain && release === version)
    .map(({ kind, shape, path }) => [`${kind} ${shape}`, path]),
);

const sealed = new Set(
  kinds
    .filter(({ isSealed }) => isSealed)
    .flatMap((kind) => kind.shapes.map((shape) => jobIdOf(kind, shape))),
);
const dataConverter = {
  payloadCodecs: [sealOnly(testCodec(), (workflowId) => sealed.has(workflowId))],
  failureConverterPath,
};
const environment = await TestWorkflowEnvironment.createLocal({
  server: {
    executable: { type: 'existing-path', path: await findTemporalCli() },
    extraArgs: ['--dynamic-config-value', 'history.timerProcessorMaxTimeShift="10ms"'],
  },
});
const client = new Client({ connection: environment.connection, dataConverter, identity: IDENTITY });
const bundle = await bundleWorkflowCode({
  ...bundleOptions(fileURLToPath(new URL('./recorded.workflows.ts', import.meta.url))),
  failureConverterPath,
  logger: new DefaultLogger('ERROR'),
});
const recorder = await createRecorder(
  { client, connection: environment.nativeConnection, dataConverter },
  bundle,
  kinds,
);
try {
  await recordKinds().finally(() => recorder.close());
  if (wanted.length === 0 || wanted.includes(SCHEDULED_RUN_WORKFLOW)) await recordScheduledRuns();
} finally {
  await environment.teardown();
}

async function recordKinds(): Promise<void> {
  for (const kind of kinds) await recordKind(kind);
}

async function recordScheduledRuns(): Promise<void> {
  const name = SCHEDULED_RUN_WORKFLOW;
  const lacking = runShapes.filter((shape) => !kept.has(`${name} ${shape.name}`));
  const { connection, nativeConnection } = environment;
  const server = { connection, nativeConnection, failureConverterPath };
  const recorded = await recordRuns(server, bundle, lacking);
  const entries = runShapes.map((shape): Entry => ({
    shape,
    history: recorded.get(shape) ?? readHistory(kept.get(`${name} ${shape.name}`)!),
  }));
  writeHistories(name, version, entries);
  console.log(`${name} ${version}: ${entries.length} histories, ${recorded.size} of them recorded now`);
}

/** All shapes or none: a kind's folder is written when the last of them is there. */
async function recordKind(kind: RecordedKind): Promise<void> {
  const name = kind.definition.kind;
  const entries: Entry[] = [];
  for (let from = 0; from < kind.shapes.length; from += AT_ONCE_MAX) {
    const shapes = kind.shapes.slice(from, from + AT_ONCE_MAX);
    entries.push(...(await Promise.all(shapes.map((shape) => keptOrRecorded(kind, shape)))));
  }
  writeHistories(name, version, entries);
  const fresh = entries.filter(({ shape }) => !kept.has(`${name} ${shape.name}`)).length;
  console.log(`${name} ${version}: ${entries.length} histories, ${fresh} of them recorded now`);
}

async function keptOrRecorded(kind: RecordedKind, shape: Shape): Promise<Entry> {
  const path = kept.get(`${kind.definition.kind} ${shape.name}`);
  return { shape, history: path === undefined ? await recorder.record(kind, shape) : readHistory(path) };
}

function chosen(names: readonly string[]): readonly RecordedKind[] {
  const known = [...recordedKinds.map(({ definition }) => definition.kind), SCHEDULED_RUN_WORKFLOW];
  const odd = names.filter((name) => !known.includes(name));
  if (odd.length > 0)
    throw new Error(`No histories are kept of ${odd.join(', ')}; of ${known.join(', ')} they are`);
  return names.length === 0
    ? recordedKinds
    : recordedKinds.filter(({ definition }) => names.includes(definition.kind));
}
