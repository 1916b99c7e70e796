/** `memory`: what a worker holds while it exports few rows and many. It must be the same. */
import type { BenchTools } from './support/bench.js';
import { runExport } from './support/exports.js';
import { datasetNameOf, flightsSettings, prepareFlights } from './support/flights.js';
import { describeMachine, summarise, type Report } from './support/report.js';
import { alternate, type Contender } from './support/rounds.js';
import { withStack } from './support/stack.js';
import { isStreamed, variantsOf } from './support/variants.js';

export interface MemoryOptions {
  readonly few: number;
  readonly many: number;
  readonly rounds: number;
  readonly formats: readonly string[] | undefined;
}

/** Where parts are rendered. */
const WORKER = 'worker reports-cpu';
const BYTES_PER_MB = 1e6;

export async function benchMemory(options: MemoryOptions, tools: BenchTools): Promise<Report> {
  const { few, many, rounds, formats } = options;
  const startedAt = new Date().toISOString();
  const counts = [few, many];
  const env = (home: string): NodeJS.ProcessEnv => flightsSettings(home, counts);
  const measured = await withStack({ ...tools, env }, async (stack) => {
    await prepareFlights(stack, counts, tools.say);
    const peakOf = async (rows: number, format: string, more: object): Promise<number> => {
      const dataset = datasetNameOf(rows);
      const { sample } = await runExport(stack, { dataset, rows, format, options: more });
      return (sample.rss[WORKER] ?? NaN) / BYTES_PER_MB;
    };
    const contenders = variantsOf(formats)
      // One that a limit keeps small may still be asked for, by its name.
      .filter((variant) => formats !== undefined || isStreamed(variant))
      .map(({ name, format, options: more }): Contender => ({
        name,
        run: async () => {
          const before = await peakOf(few, format, more);
          const value = await peakOf(many, format, more);
          return {
            value,
            figures: { [`MB at ${few.toLocaleString('en-US')} rows`]: before, growth: value / before },
            rss: {},
          };
        },
      }));
    return alternate(contenders, rounds, tools.onSample);
  });
  return {
    bench: 'memory',
    title: `Peak RSS of a worker that renders parts, at ${few.toLocaleString('en-US')} and at ${many.toLocaleString('en-US')} rows`,
    unit: `MB at ${many.toLocaleString('en-US')} rows`,
    startedAt,
    machine: describeMachine(),
    options: { ...options },
    baseline: null,
    contenders: summarise(measured, null),
    notes: ['The higher of the two workers; the peak is set back before each export (VmHWM, clear_refs).'],
  };
}
