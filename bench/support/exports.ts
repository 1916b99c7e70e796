/** One export through the API, from POST to its end. */
import { createClient } from '../../libs/client/client.js';
import type { Job } from '../../libs/client/job.types.js';
import { processesOf, watchMemory } from './memory.js';
import { processorSeconds } from './processor-time.js';
import type { Sample } from './rounds.js';
import type { StackUnderBench } from './stack.js';

const MS_PER_SECOND = 1_000;
const BYTES_PER_MB = 1e6;

export interface Exported {
  readonly sample: Sample;
  readonly job: Job;
  readonly sha256: string;
}

/** Exports; the sample's value is rows/s by the client's clock. Throws when the job does not succeed. */
export async function runExport(
  { run, signal }: StackUnderBench,
  request: {
    readonly dataset: string;
    readonly rows: number;
    readonly format: string;
    readonly options?: object;
  },
): Promise<Exported> {
  const { api, keys } = run();
  const client = createClient({ url: api, key: keys.client });
  const memory = watchMemory(() => processesOf(run()));
  const processorBefore = processorSeconds(run());
  const startedAt = performance.now();
  const { dataset, rows, format, options } = request;
  const { job: accepted } = await client.submit(
    'report.export',
    // The version is part of the natural key: each export is a fresh one.
    { dataset, version: Date.now(), format, ...options },
    { signal },
  );
  const acceptedMs = performance.now() - startedAt;
  const job = await client.wait(accepted.id, { signal });
  const ms = performance.now() - startedAt;
  const processor = processorSeconds(run()) - processorBefore;
  const rss = memory.stop();
  if (job.status !== 'SUCCEEDED') throw new Error(`The export failed: ${JSON.stringify(job.error)}`);
  const link = await client.artifact(job.id, { signal });
  if (link.rows !== rows) throw new Error(`expected ${rows} rows, the file has ${link.rows}`);
  return {
    job,
    sha256: link.sha256,
    sample: {
      value: (rows / ms) * MS_PER_SECOND,
      figures: {
        seconds: ms / MS_PER_SECOND,
        'seconds by the API': (Date.parse(job.finishedAt ?? '') - Date.parse(job.createdAt)) / MS_PER_SECOND,
        '202 after ms': acceptedMs,
        ...phasesOf(job),
        'CPU seconds': processor,
        MB: link.bytes / BYTES_PER_MB,
      },
      rss,
    },
  };
}

/** Where the time went, by the ledger: what comes before the first part, the parts, what comes after the last. */
function phasesOf(job: Job): Record<string, number> {
  const at = (time: string | null | undefined): number => Date.parse(time ?? '');
  const parts = job.steps.filter(({ name }) => name === 'render');
  const began = Math.min(...parts.map(({ startedAt }) => at(startedAt)));
  const ended = Math.max(...parts.map(({ finishedAt }) => at(finishedAt)));
  return {
    'ms before the parts': began - at(job.createdAt),
    'ms of the parts': ended - began,
    'ms after them': at(job.finishedAt) - ended,
  };
}
