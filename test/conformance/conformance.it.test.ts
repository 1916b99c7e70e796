/** Both runtimes, scenario by scenario, must tell one story; and Temporal must show each end as what it is. */
import { Client, Connection } from '@temporalio/client';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { NativeConnection, Runtime } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporalBinaries, testTemporal } from '../support/temporal.js';
import { runScenarioInMemory } from './memory.runner.js';
import type { Scenario, ScenarioWorld } from './scenario.js';
import { longScenarios, scenarios } from './scenarios.js';
import { bundleSuite, createTemporalRunner, type TemporalRunner } from './temporal.runner.js';

const SETUP_TIMEOUT_MS = 90_000;
const STATUS = { SUCCEEDED: 'COMPLETED', FAILED: 'FAILED', CANCELLED: 'CANCELLED' } as const;

const runners = new Map<'dev' | 'skipping', TemporalRunner>();
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  const ignore = (): void => undefined;
  Runtime.install({
    shutdownSignals: [],
    logger: { log: ignore, trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore },
  });
  const bundle = await bundleSuite();
  const { address, namespace } = testTemporal();
  const connection = await Connection.connect({ address });
  const native = await NativeConnection.connect({ address });
  const client = new Client({ connection, namespace });
  runners.set(
    'dev',
    await createTemporalRunner(
      { client, connection: native, namespace, now: async () => Date.now() },
      bundle,
    ),
  );

  const path = temporalBinaries().testServer;
  const skipping = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'existing-path', path } },
  });
  const { client: skippingClient, nativeConnection } = skipping;
  const server = {
    client: skippingClient,
    connection: nativeConnection,
    namespace: skipping.namespace ?? 'default',
    now: () => skipping.currentTimeMs(),
  };
  runners.set('skipping', await createTemporalRunner(server, bundle));
  closing.push(
    () => skipping.teardown(),
    () => native.close(),
    () => connection.close(),
  );
}, SETUP_TIMEOUT_MS);

afterAll(async () => {
  await Promise.all([...runners.values()].map((runner) => runner.close()));
  for (const close of closing) await close();
}, SETUP_TIMEOUT_MS);

async function agree(scenario: Scenario, told = scenario): Promise<void> {
  const inMemory = await runScenarioInMemory(told);
  const { story, workflowStatus, isContinued } = await runners.get(scenario.server ?? 'dev')!.run(scenario);
  expect(story).toEqual(inMemory);
  expect(isContinued).toBe(scenario !== told);
  expect(workflowStatus).toBe(inMemory.end ? STATUS[inMemory.end.status] : 'RUNNING');
}

describe.concurrent('in memory and on Temporal, a saga', () => {
  it.each(scenarios.filter(({ server }) => server !== 'skipping'))('$name', (scenario) => agree(scenario));
  it.each(longScenarios)('$name, in several runs', ({ long, plain }) => agree(long, plain));
});

describe.concurrent('on Temporal, a cancel', () => {
  it.each([20, 90, 160])('that comes after %i ms of a job in many runs is heard', async (ms) => {
    const cancelAfter = (world: ScenarioWorld) => () => void setTimeout(() => void world.cancel(), ms);
    const { story } = await runners.get('dev')!.run({
      name: 'is cancelled at some moment',
      kind: 'longOrder',
      count: 16,
      scripts: (world) => ({ before: { check: cancelAfter(world) } }),
    });
    expect(story.flags).toContain('cancelRequested true');
    expect(story.end).toMatchObject({ status: 'CANCELLED' });
    expect(story.steps.filter((line) => !/^check|undone$/.test(line))).toEqual([]);
  });
});

// One after the other: they share a clock that jumps.
describe('in memory and on a server that skips time, a saga', () => {
  it.each(scenarios.filter(({ server }) => server === 'skipping'))('$name', (scenario) => agree(scenario));
});
