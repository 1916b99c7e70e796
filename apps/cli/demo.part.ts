/** What the demo shows after its export, part by part. */
import type { Client, KindOf } from '../../libs/client/client.js';
import type { Job } from '../../libs/client/job.types.js';
import type { payoutBatch } from '../../workflows/payout-batch.job.js';
import type { reportExport } from '../../workflows/report-export.job.js';
import type { webhookFanout } from '../../workflows/webhook-fanout.job.js';
import type { Claim } from './demo-proof.view.js';
import type { Terminal } from './terminal.js';

export type DemoKinds = {
  readonly 'report.export': KindOf<typeof reportExport>;
  readonly 'webhook.fanout': KindOf<typeof webhookFanout>;
  readonly 'payout.batch': KindOf<typeof payoutBatch>;
};

/** What the demo needs to know of the stack; part of its run.json. */
export interface DemoStack {
  readonly api: string;
  readonly temporalUi: string | null;
  /** The sandbox; null where the stack has another provider. */
  readonly paymentProvider: string | null;
  readonly databaseUrl: string;
  readonly keys: { readonly client: string };
  readonly home: string;
}

export interface DemoContext {
  readonly stack: DemoStack;
  readonly client: Client<DemoKinds>;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  /** Of this run: in every natural key. */
  readonly name: string;
  /** The export. */
  readonly about: Job;
}

/** Says what is going on, does it, and answers what is proved; nothing where it cannot be shown on this stack. */
export type DemoPart = (context: DemoContext) => Promise<readonly Claim[]>;

/** Everything of a list that is read page by page. */
export async function all<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of pages) items.push(item);
  return items;
}
