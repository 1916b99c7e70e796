/** The flow of a report's delivery in memory: its children's fates are given, its undo runs for real against a fake table. */
import { describe, expect, test } from 'vitest';
import { reportDelivery as implement } from '../../activities/report-delivery/report-delivery.js';
import type { WebhookResources } from '../../activities/resources.js';
import { runInMemory, type ChildFate, type MemoryRunOptions } from '../../libs/saga/memory.js';
import { reportDelivery } from '../../workflows/report-delivery.job.js';

const MINUTE_MS = 60_000;
const webhooks = { publicUrl: 'https://api.example.com' } as WebhookResources['webhooks'];
const file = {
  rows: 7,
  bytes: 70,
  sha256: 'a'.repeat(64),
  filename: 'flights-1.csv',
  contentType: 'text/csv',
  expiresAt: '2026-11-25T00:00:00.000Z',
};
const made: ChildFate = { end: { status: 'SUCCEEDED', result: file } };
const told: ChildFate = { end: { status: 'SUCCEEDED', result: { delivered: 2, dead: 1 } } };
const mailed: ChildFate = {
  end: { status: 'SUCCEEDED', result: { sent: 1, suppressed: 0, refused: 0, dead: 0 } },
};
const isMail = (input: unknown): boolean => Object.hasOwn(input as object, 'template');
const isReport = (input: unknown): boolean => Object.hasOwn(input as object, 'dataset');

function run(
  fates: { readonly report?: ChildFate; readonly mail?: ChildFate; readonly event?: ChildFate },
  options: Partial<MemoryRunOptions<typeof reportDelivery>> = {},
) {
  const statements: unknown[] = [];
  return runInMemory(reportDelivery, implement({ webhooks }), {
    input: reportDelivery.example,
    childFate: (input) =>
      isReport(input)
        ? (fates.report ?? made)
        : isMail(input)
          ? (fates.mail ?? mailed)
          : (fates.event ?? told),
    openTransaction: () => ({
      tx: {
        query: async (_text, values) => {
          statements.push(values);
          return { rows: [], rowCount: 1 };
        },
      },
      commit: () => undefined,
      rollback: () => undefined,
    }),
    ...options,
  }).then((ran) => ({ ...ran, statements }));
}

describe('a delivery of a report', () => {
  test('makes it, then tells of it, with where it is to be had and nothing secret', async () => {
    const { end, children } = await run({});
    const [report, event] = children;
    expect(children.map(({ kind }) => kind)).toEqual(['report.export', 'webhook.fanout']);
    expect(end).toMatchObject({
      status: 'SUCCEEDED',
      result: { rows: 7, filename: file.filename, webhooks: { delivered: 2, dead: 1 } },
    });
    const { report: reportId } = (end as { result: { report: string } }).result;
    expect(report?.input).toEqual(reportDelivery.example.report);
    expect(event?.input).toMatchObject({
      type: 'report.ready',
      data: {
        delivery: reportDelivery.example.delivery,
        report: reportId,
        links: { result: `https://api.example.com/jobs/${reportId}/result` },
      },
    });
  });

  test('sends the link by e-mail between the two, signed when it is sent', async () => {
    const email = { template: 'report', to: { address: 'ada@example.com' }, variables: { month: 'May' } };
    const input = { ...reportDelivery.example, email };
    const { end, children } = await run({}, { input });
    expect(children.map(({ kind }) => kind)).toEqual(['report.export', 'email.send', 'webhook.fanout']);
    const { report } = (end as { result: { report: string } }).result;
    expect(children[1]?.input).toMatchObject({
      template: 'report',
      to: { address: 'ada@example.com' },
      variables: { month: 'May', report },
    });
    const refused = await run(
      { mail: { end: { status: 'FAILED', code: 'email_template_not_found' } } },
      { input },
    );
    expect(refused.end).toMatchObject({ status: 'FAILED', error: { code: 'not_mailed' } });
    expect(refused.statements).toHaveLength(1);
  });

  test('whose export fails tells nobody and leaves nothing', async () => {
    const { end, children, statements } = await run({
      report: { end: { status: 'FAILED', code: 'no_rows' } },
    });
    expect(end).toMatchObject({ status: 'FAILED', compensated: 'all', error: { code: 'report_failed' } });
    expect(children).toHaveLength(1);
    expect(statements).toEqual([]);
  });

  test('cancelled while the export runs cancels it', async () => {
    const { end, children, statements } = await run(
      { report: { ...made, afterMs: 10 * MINUTE_MS } },
      { cancelAt: MINUTE_MS },
    );
    expect(end).toMatchObject({ status: 'CANCELLED', compensated: 'all' });
    expect(children.map((child) => child.end?.status)).toEqual(['CANCELLED']);
    expect(statements).toEqual([]);
  });

  test('cancelled while it tells withdraws the event, and the finished report expires', async () => {
    const { end, children, statements } = await run(
      { event: { ...told, afterMs: 10 * MINUTE_MS } },
      { cancelAt: MINUTE_MS },
    );
    expect(end).toMatchObject({ status: 'CANCELLED', compensated: 'all' });
    expect(children.map((child) => child.end?.status)).toEqual(['SUCCEEDED', 'CANCELLED']);
    expect(statements).toHaveLength(1);
  });

  test('that could not tell lets the report expire, too', async () => {
    const { end, statements } = await run({
      event: { end: { status: 'FAILED', code: 'deadline_exceeded' } },
    });
    expect(end).toMatchObject({ status: 'FAILED', error: { code: 'not_told' } });
    expect(statements).toHaveLength(1);
  });
});
