/** What a bench found, as JSON for the chart and other programs, and as a table for people. */
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import type { Measured, Sample } from './rounds.js';
import { median, pairedRatio } from './statistics.js';

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
}

export interface ContenderReport {
  readonly name: string;
  /** The median. */
  readonly value: number;
  /** To the baseline, the median of the rounds' own ratios; null where there is none. */
  readonly ratio: number | null;
  readonly values: readonly number[];
  /** Medians. */
  readonly figures: Readonly<Record<string, number>>;
  /** The highest of all rounds, bytes, by process. */
  readonly rss: Readonly<Record<string, number>>;
}

export interface Report {
  readonly bench: string;
  readonly title: string;
  readonly unit: string;
  readonly startedAt: string;
  readonly machine: Machine;
  readonly options: Readonly<Record<string, unknown>>;
  readonly baseline: string | null;
  readonly contenders: readonly ContenderReport[];
  /** What a reader must know to read the figures, left-out baselines included. */
  readonly notes: readonly string[];
}

export function describeMachine(): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${process.platform} ${release()} ${process.arch}`,
    node: process.version,
  };
}

/** Sums up what was measured, against the contender named `baseline`. */
export function summarise(measured: readonly Measured[], baseline: string | null): ContenderReport[] {
  const valuesOf = ({ samples }: Measured): number[] => samples.map(({ value }) => value);
  const against = measured.find(({ name }) => name === baseline);
  return measured.map((contender) => ({
    name: contender.name,
    value: median(valuesOf(contender)),
    ratio: against ? pairedRatio(valuesOf(contender), valuesOf(against)) : null,
    values: valuesOf(contender),
    figures: perName(contender.samples, ({ figures }) => figures, median),
    rss: perName(
      contender.samples,
      ({ rss }) => rss,
      (bytes) => Math.max(...bytes),
    ),
  }));
}

function perName(
  samples: readonly Sample[],
  of: (sample: Sample) => Readonly<Record<string, number>>,
  sum: (values: readonly number[]) => number,
): Record<string, number> {
  const names = new Set(samples.flatMap((sample) => Object.keys(of(sample))));
  return Object.fromEntries(
    [...names].map((name) => [name, sum(samples.flatMap((sample) => of(sample)[name] ?? []))]),
  );
}
