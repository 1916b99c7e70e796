import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { afterAll, describe, expect, it } from 'vitest';
import { classifyEngineError, isEngineAway } from '../../../libs/temporal/engine.error.js';
import { testTemporal } from '../../support/temporal.js';

const { address, namespace } = testTemporal();
const open: Connection[] = [];
afterAll(() => Promise.all(open.map((connection) => connection.close())));

function setup(to: { address?: string; namespace?: string } = {}): Client {
  const connection = Connection.lazy({ address: to.address ?? address, interceptors: [] });
  open.push(connection);
  return new Client({ connection, namespace: to.namespace ?? namespace });
}

async function errorOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => {
      throw new Error('It was expected to fail.');
    },
    (error: unknown) => error,
  );
}

const start = (client: Client, workflowId: string): Promise<unknown> =>
  client.workflow.start('none', { workflowId, taskQueue: 'none', workflowIdReusePolicy: 'REJECT_DUPLICATE' });

describe('an error of the engine means', () => {
  it('away, when nothing listens there', async () => {
    const client = setup({ address: '127.0.0.1:1' });
    expect(isEngineAway(await errorOf(start(client, randomUUID())))).toBe(true);
    const raw = client.connection.workflowService.describeNamespace({ namespace });
    expect(isEngineAway(await errorOf(raw))).toBe(true);
  });

  it('away, when its namespace is not found, by client and by raw call', async () => {
    const client = setup({ namespace: 'nowhere' });
    expect(isEngineAway(await errorOf(start(client, randomUUID())))).toBe(true);
    const raw = client.connection.workflowService.describeWorkflowExecution({
      namespace: 'nowhere',
      execution: { workflowId: randomUUID() },
    });
    expect(isEngineAway(await errorOf(raw))).toBe(true);
  });

  it('away, when there was no time', async () => {
    const client = setup();
    const call = client.connection.withDeadline(Date.now() - 1, () => start(client, randomUUID()));
    expect(isEngineAway(await errorOf(call))).toBe(true);
  });

  it('already started, when the workflow was', async () => {
    const [client, workflowId] = [setup(), randomUUID()];
    await start(client, workflowId);
    expect(classifyEngineError(await errorOf(start(client, workflowId)))).toBe('already_started');
    await client.workflow.getHandle(workflowId).terminate();
    expect(classifyEngineError(await errorOf(start(client, workflowId)))).toBe('already_started');
  });

  it('not found, of a workflow that is not there or is closed', async () => {
    const client = setup();
    const handle = client.workflow.getHandle(randomUUID());
    expect(classifyEngineError(await errorOf(handle.signal('cancel')))).toBe('not_found');
    expect(classifyEngineError(await errorOf(handle.describe()))).toBe('not_found');
    const raw = client.connection.workflowService.describeWorkflowExecution({
      namespace,
      execution: { workflowId: handle.workflowId },
    });
    expect(classifyEngineError(await errorOf(raw))).toBe('not_found');
  });

  it('refused, when this request is wrong, or our own code is', async () => {
    const client = setup();
    expect(classifyEngineError(await errorOf(start(client, 'x'.repeat(5_000))))).toBe('refused');
    expect(classifyEngineError(new TypeError('ours'))).toBe('refused');
    expect(classifyEngineError('no error at all')).toBe('refused');
  });
});
