/** The last line a bench prints, for other programs. Pure. */
import type { Report } from './report.js';

const BYTES_PER_MB = 1e6;

/** One JSON object: ours is the first contender; every other one's ratio is ours over theirs. */
export function renderLine({ bench, unit, baseline, contenders }: Report): string {
  const [ours, ...others] = contenders;
  const ratios = others
    .filter(({ name, ratio }) => name !== baseline && ratio !== null && ours?.ratio)
    .map(({ name, ratio }) => [`ratio${camelCase(name)}`, round((ours?.ratio ?? NaN) / (ratio ?? NaN))]);
  const peaks = Object.values(ours?.rss ?? {});
  return JSON.stringify({
    bench,
    figure: ours && round(ours.value),
    unit,
    ...(ours?.ratio == null ? {} : { ratio: round(ours.ratio), baseline }),
    ...Object.fromEntries(ratios),
    ...(peaks.length === 0 ? {} : { peakRssMb: Math.round(Math.max(...peaks) / BYTES_PER_MB) }),
  });
}

function camelCase(name: string): string {
  return name.replace(/(?:^|[^A-Za-z0-9]+)([A-Za-z0-9])/g, (_, first: string) => first.toUpperCase());
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
