/** The kinds of the bench `isolation`: those that flood, and those that are watched. */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { demoSourceOf } from '../../libs/datasets/demo-source.js';
import type { Client } from '../../libs/client/client.js';
import type { Job } from '../../libs/client/job.types.js';
import { EVENT } from '../fanout/deliveries.js';

/** Work that is kept up: somebody submits the next job when one has ended. */
export interface Flood {
  readonly kind: string;
  submit(): Promise<Job>;
}

/** A kind whose jobs are watched, one after the other. */
export interface Probe {
  readonly kind: string;
  submit(): Promise<Job>;
}

const EXPORT_ROWS = 1_000;
/** One of the demo's. */
const INVOICE = 'INV-2026-0037';
/** More than a run lays out. */
const INVOICE_VERSIONS = 2_000;
const TEMPLATE = 'bench-isolation';
const WORDS = { subject: 'It is ready', text: 'It is ready.\n' };
const RECEIVER = { address: 'ada@example.com' };

export function floodsOf(client: Client, invoices: Iterator<number>): Flood[] {
  return [
    {
      kind: 'webhook.fanout',
      async submit() {
        const { job } = await client.submit('webhook.fanout', { event: randomUUID(), ...EVENT });
        return job;
      },
    },
    {
      kind: 'document.pdf',
      async submit() {
        const next = invoices.next();
        if (next.done === true) throw new Error(`the bench has only ${INVOICE_VERSIONS} invoices`);
        const wish = { template: 'invoice', object: INVOICE, version: next.value };
        const { job } = await client.submit('document.pdf', wish);
        return job;
      },
    },
  ];
}

/** `client` has to be one whose e-mail goes to the sandbox's mailbox. */
export async function probesOf(client: Client): Promise<Probe[]> {
  await client.emails.putTemplate(TEMPLATE, WORDS);
  return [
    {
      kind: 'report.export',
      async submit() {
        const { job } = await client.submit('report.export', {
          dataset: 'flights',
          // Part of the natural key: each is a new export.
          version: Date.now(),
          format: 'csv',
          filter: { flight_id: { lte: EXPORT_ROWS } },
        });
        return job;
      },
    },
    {
      kind: 'email.send',
      async submit() {
        const wish = { message: randomUUID(), template: TEMPLATE, to: RECEIVER };
        const { job } = await client.submit('email.send', wish);
        return job;
      },
    },
  ];
}

/** Copies an invoice under versions that nobody has asked for yet, and names them: each is a document of its own. */
export async function issueInvoices(databaseUrl: string): Promise<Iterator<number>> {
  const owner = new pg.Client({ connectionString: demoSourceOf(databaseUrl).ownerUrl });
  await owner.connect();
  try {
    const { rows } = await owner.query<{ version: number }>(
      'select max(version) as version from invoices where number = $1',
      [INVOICE],
    );
    const newest = rows[0]?.version;
    if (newest === undefined) throw new Error(`the demo's source has no invoice ${INVOICE}`);
    await copyRows(owner, 'invoices', newest);
    await copyRows(owner, 'invoice_lines', newest);
    return Array.from({ length: INVOICE_VERSIONS }, (_, index) => newest + 1 + index).values();
  } finally {
    await owner.end();
  }
}

/** Each for a customer of its own: an invoice sums up what its customer was billed before. */
async function copyRows(owner: pg.Client, table: string, newest: number): Promise<void> {
  await owner.query(
    `insert into ${table} select
         (jsonb_populate_record(r, jsonb_build_object('version', v, 'customer_number', 'B-' || v))).*
       from ${table} r, generate_series($2::int + 1, $2::int + $3::int) v where r.number = $1 and r.version = $2`,
    [INVOICE, newest, INVOICE_VERSIONS],
  );
}
