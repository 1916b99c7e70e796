/** The demo's course: export the flights, follow them live, download, verify, and say what was proved; then the other kinds' parts. */
import { createReadStream } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { createClient, type Client } from '../../libs/client/client.js';
import type { Downloaded } from '../../libs/client/download.js';
import type { Job } from '../../libs/client/job.types.js';
import { CommandError } from './command.error.js';
import { createCsvRowCounter } from './csv-row.counter.js';
import { waitForDataset } from './demo-dataset.store.js';
import type { DemoKinds, DemoStack } from './demo.part.js';
import { runParts } from './demo-parts.run.js';
import { proveDemo, renderClaims, type DemoFacts } from './demo-proof.view.js';
import { formatBytes, formatCount, formatDuration } from './figures.view.js';
import { followJob } from './job-follower.js';
import { renderBar, renderEnd } from './job.view.js';
import { openStatusLine, type Terminal } from './terminal.js';

export const FLIGHTS_ROWS = 3_000_000;

export interface DemoOptions {
  /** All of them when undefined. */
  readonly rows: number | undefined;
  /** Whether the stack goes on afterwards, so that the links work. */
  readonly lasts: boolean;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  /** Nothing is shown after the export. */
  readonly exportOnly: boolean;
  readonly onSubmitted: (job: Job) => void;
  /** The export has ended, and its file was looked at. */
  readonly onExported: () => void;
}

/** Returns whether everything held. Ends by the signal's reason when it aborts. */
export async function runDemo(stack: DemoStack, options: DemoOptions): Promise<boolean> {
  const { rows, lasts, exportOnly, terminal, signal, onSubmitted, onExported } = options;
  const client = createClient<DemoKinds>({ url: stack.api, key: stack.keys.client });
  await showLoading(stack, terminal, signal);

  const startedAt = performance.now();
  const { job: accepted } = await client.submit(
    'report.export',
    {
      dataset: 'flights',
      // Part of the natural key: a new second is a new export.
      version: Math.floor(Date.now() / 1000),
      format: 'csv',
      ...(rows === undefined ? {} : { filter: { flight_id: { lte: rows } } }),
    },
    { signal },
  );
  const acceptedMs = performance.now() - startedAt;
  onSubmitted(accepted);
  terminal.print(`\n202 after ${formatDuration(acceptedMs)}: job ${terminal.paint('bold', accepted.id)}`);

  const { job, events } = await followJob(client, accepted.id, terminal, { signal });
  const exportMs = performance.now() - startedAt;
  renderEnd(job, terminal.paint).forEach((line) => terminal.print(line));
  if (job.status !== 'SUCCEEDED') {
    terminal.print('');
    links(stack, job).forEach((line) => terminal.print(line));
    return false;
  }

  const folder = join(stack.home, 'demo');
  const { file, downloaded, counted, bytesOnDisk } = await fetchFile(client, job, folder, terminal, signal);
  const totalMs = performance.now() - startedAt;
  const facts: DemoFacts = {
    status: job.status,
    file: relative(process.cwd(), file) || file,
    rows: { asked: rows ?? FLIGHTS_ROWS, announced: downloaded.link.rows ?? undefined, counted },
    bytes: { announced: downloaded.link.bytes, onDisk: bytesOnDisk },
    sha256: { announced: downloaded.link.sha256, computed: downloaded.sha256 },
    acceptedMs,
    exportMs,
    downloadMs: totalMs - exportMs,
    totalMs,
    states: events + 1,
  };
  const { claims, holds } = proveDemo(facts);
  terminal.print(`\n${terminal.paint('bold', 'The proof')}`);
  renderClaims(claims, terminal.paint).forEach((line) => terminal.print(line));
  onExported();
  const name = `demo-${accepted.id.slice(-12)}`;
  const others =
    exportOnly || (await runParts({ stack, client, terminal, signal, name, about: job, downloaded, folder }));
  const look = terminal.paint('bold', 'Look around');
  terminal.print(`\n${look}${lasts ? '' : ' (with `npm start`; `--keep` leaves the stack running)'}`);
  links(stack, job).forEach((line) => terminal.print(line));
  return holds && others;
}

async function showLoading(stack: DemoStack, terminal: Terminal, signal: AbortSignal): Promise<void> {
  const line = openStatusLine(terminal);
  let waited = false;
  await waitForDataset(
    stack.databaseUrl,
    'flights',
    ({ ready, rows, message }) => {
      if (ready) {
        line.end(waited ? `The dataset flights is loaded: ${formatCount(rows)} real flights.` : undefined);
        return;
      }
      waited = true;
      line.update(`${renderBar((100 * rows) / FLIGHTS_ROWS)} ${message} ${formatCount(rows)} rows`, message);
    },
    signal,
  );
}

interface Fetched {
  readonly file: string;
  readonly downloaded: Downloaded;
  readonly counted: number;
  readonly bytesOnDisk: number;
}

async function fetchFile(
  client: Client<DemoKinds>,
  job: Job,
  folder: string,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Fetched> {
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'flights.csv');
  const line = openStatusLine(terminal);
  const downloaded = await client.download(job.id, {
    to: file,
    signal,
    onProgress: ({ bytes, bytesTotal }) =>
      line.update(
        `${renderBar((100 * bytes) / bytesTotal)} downloading, ${formatBytes(bytes)}`,
        'Downloading',
      ),
  });
  line.update('Counting the rows of the download', 'Counting the rows of the download');
  const counter = createCsvRowCounter();
  for await (const chunk of createReadStream(file, { signal }) as AsyncIterable<Uint8Array>)
    counter.push(chunk);
  line.end();
  return { file, downloaded, counted: counter.rows(), bytesOnDisk: (await stat(file)).size };
}

function links(stack: DemoStack, job: Job): string[] {
  const temporal =
    job.links.temporal ?? (stack.temporalUi && `${stack.temporalUi}/namespaces/default/workflows/${job.id}`);
  return [
    `  job              ${job.links.self}`,
    `  OpenAPI          ${stack.api}/openapi.json`,
    `  the API, to try  ${stack.api}/docs`,
    ...(stack.mailbox ? [`  e-mail           ${stack.mailbox}/messages`] : []),
    ...(temporal ? [`  Temporal Web UI  ${temporal}`] : []),
    `  its keys         ${join(stack.home, 'run.json')}`,
  ];
}

/** `--rows`: how many of the flights. */
export function parseRows(value: string): number {
  const rows = Number(value);
  if (!Number.isInteger(rows) || rows < 1 || rows > FLIGHTS_ROWS) {
    throw new CommandError(`--rows ${value}: expected a whole number from 1 to ${FLIGHTS_ROWS}.`);
  }
  return rows;
}
