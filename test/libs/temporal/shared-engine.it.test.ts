import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bundleOptions } from '../../../libs/temporal/bundle-options.js';
import { failureConverterPath } from '../../../libs/temporal/data-converter.js';
import { testTemporal } from '../../support/temporal.js';
import { look, SCHEMA_NAMES, type Seen } from './shared-engine.workflows.js';

const TASK_QUEUE = 'shared-engine';
const BUNDLE_TIMEOUT_MS = 60_000;

let connection: Connection;
let native: NativeConnection;
let worker: Worker;
let running: Promise<void>;
let namespace: string;

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const temporal = testTemporal();
  namespace = temporal.namespace;
  connection = await Connection.connect({ address: temporal.address });
  native = await NativeConnection.connect({ address: temporal.address });
  const workflowsPath = fileURLToPath(new URL('./shared-engine.workflows.ts', import.meta.url));
  const logger = new DefaultLogger('ERROR');
  worker = await Worker.create({
    connection: native,
    namespace,
    taskQueue: TASK_QUEUE,
    dataConverter: { failureConverterPath },
    workflowBundle: await bundleWorkflowCode({ ...bundleOptions(workflowsPath), logger }),
  });
  running = worker.run();
}, BUNDLE_TIMEOUT_MS);

afterAll(async () => {
  worker.shutdown();
  await running;
  await native.close();
  await connection.close();
});

it('shares the engine among workflows, gives each the author’s modules anew, and leaves zod whole', async () => {
  const client = new Client({ connection, namespace });
  const run = (): Promise<Seen> =>
    client.workflow.execute(look, { taskQueue: TASK_QUEUE, workflowId: randomUUID() });
  const expected: Seen = { engineIsFrozen: true, runsInThisModule: 1, sound: SCHEMA_NAMES };
  expect(await run()).toEqual(expected);
  expect(await run()).toEqual(expected);
});
