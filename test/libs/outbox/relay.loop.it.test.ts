import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listenToOutbox, OUTBOX_CHANNEL } from '../../../libs/outbox/listener.js';
import { measureOutbox } from '../../../libs/outbox/outbox.store.js';
import { LOOP_PACE, startRelayLoop } from '../../../libs/outbox/relay.loop.js';
import { createLogger } from '../../../libs/telemetry/logger.js';
import { eventually } from '../../support/stack.js';
import { createOwnTemporal, type OwnTemporal } from './own-temporal.js';
import { setupRelay, valueOf, type RelaySetup } from './relay.setup.js';

let temporal: OwnTemporal;
let setup: RelaySetup;
beforeAll(async () => {
  temporal = await createOwnTemporal();
  await temporal.start();
  setup = await setupRelay(temporal);
});
afterAll(async () => {
  await setup.close();
  await temporal.close();
});

async function unsent(): Promise<number> {
  return (await measureOutbox(setup.jobs.relay)).unsent;
}

describe('the relay loop', () => {
  it('runs all of 500 jobs accepted while the engine was stopped', async () => {
    const dispatcher = setup.newDispatcher();
    const loop = startRelayLoop(dispatcher);
    try {
      await temporal.kill();
      const jobIds: string[] = [];
      for (let batch = 0; batch < 5; batch += 1)
        jobIds.push(...(await setup.jobs.accept('test.relayed', 100)));
      await eventually(
        'the relay to notice',
        async () => (await valueOf(dispatcher.registry, 'longhaul_relay_engine_up')) === 0,
      );
      // No row is to blame for the engine's absence, so none is put off; and none is held under lock for long.
      expect(await measureOutbox(setup.jobs.relay)).toMatchObject({ unsent: 500, failing: 0 });
      const { rows } = await setup.jobs.app.query<{ answer: string }>(
        `select longhaul.request_cancel($1, $2, null) as answer`,
        [setup.jobs.tenantId, jobIds.at(-1)],
      );
      expect(rows[0]?.answer).toBe('cancelled');

      await temporal.start();
      await setup.startWorker();
      await eventually('the outbox to be empty', async () => (await unsent()) === 0, 40_000);
      const ran = jobIds.slice(0, -1);
      const results = await Promise.all(
        ran.map(
          async (id) => (await setup.engine.client.workflow.getHandle(id).result()) as { jobId: string },
        ),
      );
      expect(new Set(results.map((result) => result.jobId))).toEqual(new Set(ran));
      expect(await valueOf(dispatcher.registry, 'longhaul_relay_engine_up')).toBe(1);
      expect(
        await valueOf(dispatcher.registry, 'longhaul_relay_dispatched_total', { outcome: 'started' }),
      ).toBe(499);
    } finally {
      await loop.stop();
    }
  }, 90_000);

  it('goes on when the database has dropped its connections', async () => {
    const dispatcher = setup.newDispatcher();
    const loop = startRelayLoop(dispatcher, { ...LOOP_PACE, idleMs: 100 });
    try {
      await setup.jobs.owner.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and application_name = 'longhaul-relay'`,
      );
      const [jobId = ''] = await setup.jobs.accept('test.relayed');
      await eventually('the row to be sent', async () => (await setup.outboxOf(jobId))[0]?.sent);
    } finally {
      await loop.stop();
    }
  });

  it('looks at once when notified, also after its listening connection was lost', async () => {
    // So slow that without the notification the test would time out.
    const pace = { ...LOOP_PACE, busyMs: 3_600_000, idleMs: 3_600_000 };
    const loop = startRelayLoop(setup.newDispatcher(), pace);
    let notified = 0;
    const wake = (): void => {
      notified += 1;
      loop.wake();
    };
    const listener = listenToOutbox(setup.jobs.url, wake, createLogger('test', 'silent'));
    const acceptAndNotify = async (): Promise<void> => {
      const before = notified;
      const [jobId = ''] = await setup.jobs.accept('test.relayed');
      await eventually('the notification', async () => {
        await setup.jobs.app.query(`notify ${OUTBOX_CHANNEL}`);
        return notified > before;
      });
      await eventually('the row to be sent', async () => (await setup.outboxOf(jobId))[0]?.sent);
    };
    try {
      await eventually('the listener', () => notified > 0);
      await acceptAndNotify();
      await setup.jobs.owner.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and application_name = 'longhaul-relay-listen'`,
      );
      await acceptAndNotify();
    } finally {
      await listener.close();
      await loop.stop();
    }
  });
});
