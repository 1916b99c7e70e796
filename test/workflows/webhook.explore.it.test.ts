/** Every schedule of failures of a fan-out and of sending again, up to a bound. Deeper: EXPLORE_DEPARTURES=3. */
import { expect, test } from 'vitest';
import { explore } from '../../libs/saga/explore.js';
import { reportDelivery } from '../../workflows/report-delivery.job.js';
import { webhookCallback } from '../../workflows/webhook-callback.job.js';
import { webhookFanout } from '../../workflows/webhook-fanout.job.js';
import { webhookResend } from '../../workflows/webhook-resend.job.js';
import {
  departuresMax,
  departuresMaxOfSmall,
  EXPLORATION_TIMEOUT_MS,
  tellExplored,
} from '../support/explorations.js';

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
  'a callback keeps every rule in every schedule',
  async () => {
    const explored = await explore(
      webhookCallback,
      { input: webhookCallback.example, outputs: { deliver } },
      { departuresMax: departuresMaxOfSmall },
    );
    tellExplored('webhook.callback', explored, departuresMaxOfSmall);
    expect(explored.schedules).toBeGreaterThan(10_000);
  },
  EXPLORATION_TIMEOUT_MS,
);

test(
  'a delivery of a report keeps every rule in every schedule',
  async () => {
    const jobId = webhookCallback.example.job;
    const result = {
      ...{ rows: 7, bytes: 70, sha256: 'a'.repeat(64), filename: 'flights-1.csv', contentType: 'text/csv' },
      expiresAt: '2026-01-02T00:00:00.000Z',
    };
    const explored = await explore(
      reportDelivery,
      {
        input: reportDelivery.example,
        outputs: {
          make: () => ({ jobId, status: 'SUCCEEDED' as const, result }),
          mail: () => ({ total: 1, succeeded: 1, failed: 0, cancelled: 0 }),
          tell: () => ({ jobId, status: 'SUCCEEDED' as const, result: deliver() }),
        },
      },
      { departuresMax },
    );
    tellExplored('report.delivery', explored);
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
      { departuresMax: departuresMaxOfSmall },
    );
    tellExplored('webhook.resend', explored, departuresMaxOfSmall);
    expect(explored.schedules).toBeGreaterThan(10_000);
  },
  EXPLORATION_TIMEOUT_MS,
);
