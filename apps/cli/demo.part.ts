/** What the demo shows after its export, part by part. */
import type { Client, KindOf } from '../../libs/client/client.js';
import type { Downloaded } from '../../libs/client/download.js';
import { isTerminal, type Job } from '../../libs/client/job.types.js';
import type { documentPdf } from '../../workflows/document-pdf.job.js';
import type { emailSend } from '../../workflows/email-send.job.js';
import type { imageRenditions } from '../../workflows/image-renditions.job.js';
import type { payoutBatch } from '../../workflows/payout-batch.job.js';
import type { reportExport } from '../../workflows/report-export.job.js';
import type { webhookFanout } from '../../workflows/webhook-fanout.job.js';
import { CommandError } from './command.error.js';
import type { Claim } from './demo-proof.view.js';
import { formatDuration } from './figures.view.js';
import { renderBar, renderPlain, renderSteps } from './job.view.js';
import { toPlain, type StatusLine, type Terminal } from './terminal.js';

/** The slowest part takes seconds on two cores; a job that has not ended by then stands still. */
const JOB_MS_MAX = 120_000;

export type DemoKinds = {
  readonly 'report.export': KindOf<typeof reportExport>;
  readonly 'email.send': KindOf<typeof emailSend>;
  readonly 'webhook.fanout': KindOf<typeof webhookFanout>;
  readonly 'document.pdf': KindOf<typeof documentPdf>;
  readonly 'image.renditions': KindOf<typeof imageRenditions>;
  readonly 'payout.batch': KindOf<typeof payoutBatch>;
};

/** What the demo needs to know of the stack; part of its run.json. */
export interface DemoStack {
  readonly api: string;
  readonly temporalUi: string | null;
  /** The sandbox; null where the stack has another provider. */
  readonly paymentProvider: string | null;
  /** The sandbox's; null where the stack has another mail server. */
  readonly mailbox: string | null;
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
  /** Its file, as it was downloaded. */
  readonly downloaded: Downloaded;
  /** For what is downloaded. */
  readonly folder: string;
}

/** Says what is going on, does it, and answers what is proved; nothing where it cannot be shown on this stack. */
export type DemoPart = (context: DemoContext) => Promise<readonly Claim[]>;

/** Everything of a list that is read page by page. */
export async function all<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of pages) items.push(item);
  return items;
}

/** Waits for the job's end. Throws, and says where it stands, when that takes far too long. */
export async function seeThrough<Result>(
  { client, signal }: DemoContext,
  job: Job<Result>,
  show: (state: Job) => void = () => undefined,
  msMax = JOB_MS_MAX,
): Promise<Job<Result>> {
  const tooLong = AbortSignal.timeout(msMax);
  let last: Job = job;
  try {
    for await (const state of client.watch(job.id, { signal: AbortSignal.any([signal, tooLong]) })) {
      last = state;
      if (isTerminal(state)) return state as Job<Result>;
      show(state);
    }
  } catch (error) {
    if (!tooLong.aborted || signal.aborted) throw error;
  }
  throw new CommandError(
    `${job.kind} has not ended within ${formatDuration(msMax)}: ${renderPlain(last)}. Look on: ./longhaul watch ${job.id}`,
  );
}

/** Fetches from what is no API of ours; `what` names it to people. Throws where nobody answers. */
export async function fetchFrom(what: string, url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    init.signal?.throwIfAborted();
    const { cause = error } = error as Error;
    const { origin } = new URL(url);
    throw new CommandError(`${what} does not answer at ${origin}: ${toPlain((cause as Error).message)}`);
  }
}

/** `FAILED: not_mailed: The e-mail did not succeed.` */
export function renderOutcome({ status, error }: Job): string {
  return toPlain([status, error?.code, error?.detail].filter((text) => text != null).join(': '));
}

/** Shows a job's steps on a line that is drawn over; elsewhere says only what is being done. */
export function stepsOn(line: StatusLine, { paint }: Terminal, doing: string): (state: Job) => void {
  line.update(`${doing} …`, doing);
  return ({ progress, steps }) =>
    line.update(`${paint('green', renderBar(progress.percent))} ${renderSteps(steps, paint)}`, doing);
}
