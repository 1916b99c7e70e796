import { fileURLToPath } from 'node:url';
import { activityInfo, heartbeat } from '@temporalio/activity';
import { Client, Connection } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { payloadToJSON } from '@temporalio/common/lib/proto-utils.js';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { destroyTenantKeys } from '../../../libs/security/tenants.store.js';
import { createCodec } from '../../../libs/temporal/codec.js';
import {
  connectTemporal,
  connectTemporalForWorkers,
  type EngineClient,
  type EngineConnectionForWorkers,
} from '../../../libs/temporal/connection.js';
import { failureConverterPath } from '../../../libs/temporal/data-converter.js';
import { searchAttributesOf } from '../../../libs/temporal/search-attributes.js';
import { createTenantJobs, type TenantJobs } from '../../support/tenant-jobs.js';
import { testTemporal } from '../../support/temporal.js';
import { agree, ask, secretive, tell } from './secrecy.workflows.js';

const SECRET = 'Blinky-7731';
const TASK_QUEUE = 'secrecy';

let jobs: TenantJobs;
let engine: EngineClient;
let forWorkers: EngineConnectionForWorkers;
let worker: Worker;
let running: Promise<void>;
let raw: Client;

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  jobs = await createTenantJobs();
  const settings = { temporal: testTemporal() };
  const secrets = { cipher: jobs.cipher, database: jobs.app };
  engine = connectTemporal(settings, secrets);
  forWorkers = await connectTemporalForWorkers(settings, secrets);
  raw = new Client({
    connection: await Connection.connect({ address: settings.temporal.address }),
    namespace: settings.temporal.namespace,
  });
  worker = await Worker.create({
    ...forWorkers,
    taskQueue: TASK_QUEUE,
    shutdownGraceTime: 0,
    workflowBundle: await bundleWorkflowCode({
      logger: new DefaultLogger('ERROR'),
      workflowsPath: fileURLToPath(new URL('./secrecy.workflows.ts', import.meta.url)),
      failureConverterPath,
    }),
    activities: {
      speak: async (secret: string) => {
        if (!activityInfo().isLocal) heartbeat(`heartbeat ${secret}`);
        return `spoken ${secret}`;
      },
      fail: async (secret: string) => {
        throw ApplicationFailure.create({
          message: `activity failed ${secret}`,
          type: 'Failed',
          details: [secret],
        });
      },
    },
  });
  running = worker.run();
}, 60_000);

afterAll(async () => {
  worker.shutdown();
  await running;
  await forWorkers.connection.close();
  await engine.close();
  await raw.connection.close();
  await jobs.close();
});

/** Runs the workflow for a new job and answers everything Temporal stores or transmits of it, unopened. */
async function runSecretive(
  word: string,
): Promise<{ jobId: string; stored: unknown; outcome: Promise<string> }> {
  const [jobId = ''] = await jobs.accept('test.secretive');
  const handle = await engine.client.workflow.start(secretive, {
    workflowId: jobId,
    taskQueue: TASK_QUEUE,
    args: [SECRET],
    memo: { note: `start memo ${SECRET}` },
    staticSummary: `summary ${SECRET}`,
    staticDetails: `details ${SECRET}`,
    typedSearchAttributes: searchAttributesOf({ tenantId: jobs.tenantId, kind: 'test.secretive' }),
  });
  expect(await handle.query(ask, 'asked')).toBe(`asked ${SECRET}`);
  expect(await handle.executeUpdate(agree, { args: ['agreed'] })).toBe(`agreed ${SECRET}`);
  await handle.signal(tell, `${word} ${SECRET}`);
  const outcome = handle.result();
  await outcome.catch(() => undefined);
  const history = await raw.workflow.getHandle(jobId).fetchHistory();
  const description = await raw.workflowService.describeWorkflowExecution({
    namespace: raw.options.namespace,
    execution: { workflowId: jobId },
  });
  return { jobId, stored: [history, description], outcome };
}

/** Everything as one text, bytes too, so that plain JSON inside a payload is found. */
function textOf(stored: unknown): string {
  return JSON.stringify(stored, (_, value: unknown) => {
    if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
    const isBuffer =
      typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer';
    return isBuffer && 'data' in value ? Buffer.from(value.data as number[]).toString('latin1') : value;
  });
}

/** Where payloads are not encrypted, search attributes and the SDK's bookkeeping of local activities aside. */
function plainPayloads(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return [];
  if (/(searchAttributes|markerRecordedEventAttributes\.details\.data)$/.test(path)) return [];
  const metadata = 'metadata' in value ? value.metadata : undefined;
  const encoding =
    typeof metadata === 'object' && metadata !== null && 'encoding' in metadata
      ? metadata.encoding
      : undefined;
  if (encoding instanceof Uint8Array) {
    return Buffer.from(encoding).toString() === 'binary/encrypted' ? [] : [path];
  }
  return Object.entries(value).flatMap(([name, inner]) => plainPayloads(inner, `${path}.${name}`));
}

describe('what Temporal stores of a job', () => {
  it('holds no plain text of a workflow that succeeds, and its own client reads it all', async () => {
    const { stored, outcome } = await runSecretive('told');
    expect(await outcome).toBe(`spoken ${SECRET}|spoken ${SECRET}|activity failed ${SECRET}|told ${SECRET}`);
    expect(plainPayloads(stored)).toEqual([]);
    expect(textOf(stored)).toContain('secretive');
    expect(textOf(stored)).not.toContain('Blinky');
  });

  it('holds no plain text of a workflow that fails', async () => {
    const { stored, outcome } = await runSecretive('fail');
    await expect(outcome).rejects.toMatchObject({ cause: { message: `workflow failed ${SECRET}` } });
    expect(plainPayloads(stored)).toEqual([]);
    expect(textOf(stored)).toContain('Encoded failure');
    expect(textOf(stored)).not.toContain('Blinky');
  });

  it('is opened by the codec server, and by nobody once the key is destroyed', async () => {
    const { jobId } = await runSecretive('told');
    const history = await raw.workflow.getHandle(jobId).fetchHistory();
    const attributes = history.events?.[0]?.workflowExecutionStartedEventAttributes;
    const body = { payloads: (attributes?.input?.payloads ?? []).map((payload) => payloadToJSON(payload)) };
    const codec = createCodec({ cipher: jobs.cipher, database: jobs.app });
    const opened = await codec.decodePayloads(body);
    expect(Buffer.from((opened.payloads[0] as { data: string }).data, 'base64').toString()).toBe(
      `"${SECRET}"`,
    );

    await destroyTenantKeys(jobs.owner, jobs.tenantId);
    jobs.cipher.forget();
    const closed = await codec.decodePayloads(body);
    expect(Buffer.from((closed.payloads[0] as { data: string }).data, 'base64').toString()).toContain(
      'tenant_key_destroyed',
    );
    await expect(engine.client.workflow.getHandle(jobId).result()).rejects.toMatchObject({
      code: 'tenant_key_destroyed',
    });
  });
});
