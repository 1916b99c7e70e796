import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isReadyMessage } from '../../../libs/telemetry/ready.js';
import { setupRelay, type RelaySetup } from '../../libs/outbox/relay.setup.js';
import { eventually } from '../../support/stack.js';
import { testTemporal } from '../../support/temporal.js';

const FIXTURE = fileURLToPath(new URL('./relay.fixture.ts', import.meta.url));
/** Held by the test, it stops every relay between its starts and its commit. */
const BEFORE_COMMIT_LOCK = 4711;

let setup: RelaySetup;
let home: string;
const temporal = testTemporal();
beforeAll(async () => {
  setup = await setupRelay(temporal);
  home = await mkdtemp(join(tmpdir(), 'longhaul-relay-'));
  await setup.jobs.owner.query(`
    create function public.before_commit() returns trigger language plpgsql as
      $$ begin perform pg_advisory_xact_lock_shared(${BEFORE_COMMIT_LOCK}); return new; end $$;
    create trigger before_commit before update of dispatched_at on longhaul.outbox
      for each statement execute function public.before_commit();
    alter function public.before_commit() security definer`);
  await setup.startWorker();
});
afterAll(async () => {
  await setup.close();
  await rm(home, { recursive: true, force: true });
});

interface RelayProcess {
  readonly child: ChildProcess;
  readonly metricsUrl: string;
  readonly output: () => string;
  end(signal: NodeJS.Signals): Promise<number | null>;
}

async function startRelay(): Promise<RelayProcess> {
  const child = fork(FIXTURE, {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: {
      PATH: process.env['PATH'],
      DATABASE_URL: setup.jobs.url,
      TEMPORAL_ADDRESS: temporal.address,
      TEMPORAL_NAMESPACE: temporal.namespace,
      LONGHAUL_MASTER_KEY: setup.jobs.masterKey.toString('base64'),
      LONGHAUL_HOME: home,
    },
  });
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exit = once(child, 'exit').then(([code]) => code as number | null);
  const ready = await Promise.race([
    once(child, 'message').then(([message]) => message as unknown),
    exit.then((code) => {
      throw new Error(`The relay ended with ${code}:\n${output}`);
    }),
  ]);
  if (!isReadyMessage(ready) || ready.metricsUrl === undefined)
    throw new Error(`Not ready: ${JSON.stringify(ready)}`);
  return {
    child,
    metricsUrl: ready.metricsUrl,
    output: () => output,
    end: (signal) => {
      child.kill(signal);
      return exit;
    },
  };
}

async function metric(relay: RelayProcess, series: string): Promise<number> {
  const text = await (await fetch(relay.metricsUrl)).text();
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? 0 : Number(line.slice(series.length + 1));
}

async function runsOf(jobId: string): Promise<number> {
  let runs = 0;
  for await (const _ of setup.engine.client.workflow.list({ query: `WorkflowId = '${jobId}'` })) runs += 1;
  return runs;
}

describe('the relay as a process', () => {
  it('killed between start and commit starts nothing twice', async () => {
    const gate = await setup.jobs.owner.connect();
    await gate.query(`select pg_advisory_lock(${BEFORE_COMMIT_LOCK})`);
    const first = await startRelay();
    const jobIds = await setup.jobs.accept('report.export', 20);
    const handles = jobIds.map((id) => setup.engine.client.workflow.getHandle(id));
    // Every workflow has been started, has even ended, and no row is marked.
    await eventually(
      'all workflows to end',
      async () => (await Promise.all(handles.map((handle) => handle.result()))).length === jobIds.length,
    );
    expect(await first.end('SIGKILL')).toBeNull();
    await gate.query(`select pg_advisory_unlock(${BEFORE_COMMIT_LOCK})`);
    gate.release();
    const rows = await Promise.all(jobIds.map((id) => setup.outboxOf(id)));
    expect(rows.flat().filter((row) => row.sent)).toEqual([]);

    const second = await startRelay();
    try {
      await eventually('all rows to be sent', async () =>
        (await Promise.all(jobIds.map((id) => setup.outboxOf(id)))).flat().every((row) => row.sent),
      );
      expect(
        await metric(second, 'longhaul_relay_dispatched_total{message="start",outcome="already_started"}'),
      ).toBe(20);
      expect(await metric(second, 'longhaul_relay_dispatched_total{message="start",outcome="started"}')).toBe(
        0,
      );
      await eventually('visibility', async () => (await runsOf(jobIds.at(-1) ?? '')) === 1);
      expect(await Promise.all(jobIds.map(runsOf))).toEqual(jobIds.map(() => 1));
    } finally {
      expect(await second.end('SIGTERM')).toBe(0);
    }
  });

  it('shows the age of the oldest unsent row, and logs neither keys nor connection strings', async () => {
    const relay = await startRelay();
    try {
      const [jobId = ''] = await setup.jobs.accept('report.elsewhere');
      await setup.jobs.relay.query(
        `update longhaul.outbox set created_at = now() - interval '1 hour' where job_id = $1`,
        [jobId],
      );
      await eventually(
        'the metric',
        async () => (await metric(relay, 'longhaul_outbox_oldest_unsent_age_seconds')) > 3_599,
      );
      await eventually('the log to name the row', () => relay.output().includes('report.elsewhere'));
      expect(relay.output()).not.toContain(setup.jobs.masterKey.toString('base64'));
      expect(relay.output()).not.toContain(setup.jobs.url);
      await setup.jobs.relay.query(`update longhaul.outbox set dispatched_at = now() where job_id = $1`, [
        jobId,
      ]);
    } finally {
      expect(await relay.end('SIGINT')).toBe(0);
    }
  });

  it('ends by itself when its supervisor is gone', async () => {
    const relay = await startRelay();
    const exit = once(relay.child, 'exit');
    relay.child.disconnect();
    expect((await exit)[0]).toBe(0);
  });
});
