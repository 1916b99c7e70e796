/** `formats`: the same rows as every kind of file. */
import type { BenchTools } from './support/bench.js';
import { runExport } from './support/exports.js';
import { datasetNameOf, flightsSettings, prepareFlights } from './support/flights.js';
import { describeMachine, summarise, type Report } from './support/report.js';
import { alternate } from './support/rounds.js';
import { withStack } from './support/stack.js';
import { variantsOf } from './support/variants.js';

export interface FormatsOptions {
  readonly rows: number;
  readonly rounds: number;
  readonly formats: readonly string[] | undefined;
}

const BASELINE = 'csv';

export async function benchFormats(options: FormatsOptions, tools: BenchTools): Promise<Report> {
  const { rows, rounds, formats } = options;
  const startedAt = new Date().toISOString();
  const variants = variantsOf(formats);
  const baseline = variants.some(({ name }) => name === BASELINE) ? BASELINE : null;
  const env = (home: string): NodeJS.ProcessEnv => flightsSettings(home, [rows]);
  const measured = await withStack({ ...tools, env }, async (stack) => {
    await prepareFlights(stack, [rows], tools.say);
    const contenders = variants.map(({ name, format, options: more }) => ({
      name,
      run: async () =>
        (await runExport(stack, { dataset: datasetNameOf(rows), rows, format, options: more })).sample,
    }));
    return alternate(contenders, rounds, tools.onSample);
  });
  return {
    bench: 'formats',
    title: `Export of ${rows.toLocaleString('en-US')} flights`,
    unit: 'rows/s',
    startedAt,
    machine: describeMachine(),
    options: { ...options },
    baseline,
    contenders: summarise(measured, baseline),
    notes: ['From POST to SUCCEEDED as the client sees it.'],
  };
}
