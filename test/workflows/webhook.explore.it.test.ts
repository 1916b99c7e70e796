/** Every schedule of failures of a fan-out and of sending again, up to a bound. Deeper: EXPLORE_DEPARTURES=3. */
import { expect, test } from 'vitest';
import { explore } from '../../libs/saga/explore.js';
import { webhookFanout } from '../../workflows/webhook-fanout.job.js';
import { webhookResend } from '../../workflows/webhook-resend.job.js';
import { departuresMax, EXPLORATION_TIMEOUT_MS, tellExplored } from '../support/explorations.js';

const deliver = () => ({ delivered: 2, dead: 1 });

test(
  'a fan-out keeps every rule in every schedule',
  async () => {
    const outputs = {
      send: () => ({ delivered: 1, dead: 0, open: 2 }),
      deliver,
      // Of jobs that began before `send` was; asked here, `patched` says yes.
      enroll: () => ({ endpoints: 3 }),
    };
    const explored = await explore(
      webhookFanout,
      { input: webhookFanout.example, outputs },
      { departuresMax },
    );
    tellExplored('webhook.fanout', explored);
    expect(explored.schedules).toBeGreaterThan(300);
  },
  EXPLORATION_TIMEOUT_MS,
);

test(
  'sending again keeps every rule in every schedule',
  async () => {
    const outputs = { collect: () => ({ deliveries: 3 }), deliver };
    const explored = await explore(
      webhookResend,
      { input: webhookResend.example, outputs },
      { departuresMax },
    );
    tellExplored('webhook.resend', explored);
    expect(explored.schedules).toBeGreaterThan(300);
  },
  EXPLORATION_TIMEOUT_MS,
);
