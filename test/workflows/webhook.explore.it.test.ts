/** Every schedule of failures of a fan-out and of sending again, up to a bound. Deeper: EXPLORE_DEPARTURES=3. */
import { expect, test } from 'vitest';
import { explore } from '../../libs/saga/explore.js';
import { webhookFanout } from '../../workflows/webhook-fanout.job.js';
import { webhookResend } from '../../workflows/webhook-resend.job.js';

const departuresMax = Number(process.env['EXPLORE_DEPARTURES'] ?? 2);
const TIMEOUT_MS = 600_000;
const deliver = () => ({ delivered: 2, dead: 1 });

test(
  'a fan-out keeps every rule in every schedule',
  async () => {
    const outputs = { enroll: () => ({ endpoints: 3 }), deliver };
    const explored = await explore(
      webhookFanout,
      { input: webhookFanout.example, outputs },
      { departuresMax },
    );
    console.log(`explored webhook.fanout: ${explored.schedules} schedules, ${explored.schedulesPerSecond}/s`);
    expect(explored.schedules).toBeGreaterThan(300);
  },
  TIMEOUT_MS,
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
    console.log(`explored webhook.resend: ${explored.schedules} schedules, ${explored.schedulesPerSecond}/s`);
    expect(explored.schedules).toBeGreaterThan(300);
  },
  TIMEOUT_MS,
);
