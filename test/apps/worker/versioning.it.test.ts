/** Worker processes that the environment gives a version; docs/changing-a-kind.md has the operator's side. */
import { Client, Connection } from '@temporalio/client';
import { expect, it, onTestFinished } from 'vitest';
import { eventually, newHome, removeHome, startTestStack } from '../../support/stack.js';

const DEPLOYMENT = 'longhaul';
const BUILD = '1.4.2';
const TEST_TIMEOUT_MS = 180_000;

it(
  'wait until their version is made current, and then serve every queue under it',
  async () => {
    const home = await newHome();
    const build = { TEMPORAL_DEPLOYMENT_NAME: DEPLOYMENT, TEMPORAL_WORKER_BUILD_ID: BUILD };
    const stack = await startTestStack(home, build, 'shared');
    const connection = await Connection.connect({ address: (await stack.run()).temporal });
    onTestFinished(async () => {
      await connection.close();
      await stack.stop();
      await removeHome(home);
    });
    const client = new Client({ connection });
    const id = await stack.submitExport({ dataset: 'birdstrikes', version: 1, format: 'csv' });
    const handle = client.workflow.getHandle(id);
    await eventually(
      'the workflow is started',
      async () => (await handle.describe()).status.name === 'RUNNING',
    );

    const version = { namespace: 'default', deploymentName: DEPLOYMENT, buildId: BUILD };
    const described = () =>
      client.workflowService.describeWorkerDeploymentVersion({
        namespace: 'default',
        deploymentVersion: { deploymentName: DEPLOYMENT, buildId: BUILD },
      });
    const queues = async () =>
      new Set((await described()).versionTaskQueues?.map(({ name }) => name)) as Set<string>;
    const all = ['workflows', 'reports-io', 'reports-cpu', 'reports-keeper'];
    await eventually('every queue is served under the version', async () => {
      const there = await queues();
      return all.every((queue) => there.has(queue));
    });
    expect((await stack.job(id)).status).toBe('PENDING');

    await client.workflowService.setWorkerDeploymentCurrentVersion({ ...version, identity: 'operator' });
    expect((await stack.ended(id, 60_000)).status).toBe('SUCCEEDED');
    const { raw } = await handle.describe();
    expect(raw.workflowExecutionInfo?.versioningInfo?.deploymentVersion).toMatchObject({
      deploymentName: DEPLOYMENT,
      buildId: BUILD,
    });
  },
  TEST_TIMEOUT_MS,
);
