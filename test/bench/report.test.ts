import { describe, expect, it } from 'vitest';
import { renderChart } from '../../bench/support/chart.js';
import { renderLine } from '../../bench/support/line.js';
import { summarise, type Report } from '../../bench/support/report.js';
import { alternate, type Measured, type Sample } from '../../bench/support/rounds.js';
import { median, pairedRatio } from '../../bench/support/statistics.js';
import { formatFigure, renderReport, renderTable } from '../../bench/support/table.js';

const sample = (value: number, rss: Record<string, number> = {}): Sample => ({
  value,
  figures: { seconds: 10 / value },
  rss,
});

const measured: Measured[] = [
  { name: 'ours', samples: [sample(2, { worker: 3e6 }), sample(4, { worker: 5e6 }), sample(9)] },
  { name: 'theirs <&>', samples: [sample(1), sample(1), sample(3)] },
];

const report: Report = {
  bench: 'export',
  title: 'Rows "and" more',
  unit: 'rows/s',
  startedAt: '2026-01-01T00:00:00.000Z',
  machine: { processor: 'abacus', cores: 2, memoryBytes: 1, system: 'wood', node: 'v24.0.0' },
  options: {},
  baseline: 'theirs <&>',
  contenders: summarise(measured, 'theirs <&>'),
  notes: ['measured by hand'],
};

describe('statistics', () => {
  it('takes the middle of the sorted values, or the mean of the two in the middle', () => {
    expect(median([10, 9, 1])).toBe(9);
    expect(median([10, 2, 1, 4])).toBe(3);
    expect(() => median([])).toThrow(RangeError);
  });

  it('compares round by round, so that a slow round on both sides changes nothing', () => {
    expect(pairedRatio([2, 20, 200], [1, 10, 100])).toBe(2);
    expect(() => pairedRatio([1], [1, 2])).toThrow(RangeError);
  });
});

describe('rounds', () => {
  it('go in turn, and the warm-up is not counted', async () => {
    const calls: string[] = [];
    const contender = (name: string) => ({
      name,
      run: async (round: number) => {
        calls.push(`${name}${round}`);
        return sample(round);
      },
    });
    const result = await alternate([contender('a'), contender('b')], 2);
    expect(calls).toEqual(['a-1', 'b-1', 'a0', 'b0', 'a1', 'b1']);
    expect(result.map(({ samples }) => samples.map(({ value }) => value))).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });
});

describe('a summary', () => {
  it('has medians, the ratio to the baseline, and the highest memory of all rounds', () => {
    const [ours, theirs] = report.contenders;
    expect(ours).toMatchObject({ value: 4, ratio: 3, figures: { seconds: 2.5 }, rss: { worker: 5e6 } });
    expect(theirs).toMatchObject({ value: 1, ratio: 1 });
  });

  it('has no ratio where there is no baseline', () => {
    expect(summarise(measured, null).map(({ ratio }) => ratio)).toEqual([null, null]);
  });
});

describe('a table', () => {
  it('is Markdown with columns of one width', () => {
    expect(renderTable(['what', 'MB'], [['worker', '12']])).toBe(
      '| what   |  MB |\n| ------ | --: |\n| worker |  12 |',
    );
  });

  it('writes figures with three digits that count', () => {
    expect([1234567, 0.9172, 12.345, 0].map(formatFigure)).toEqual(['1,234,567', '0.917', '12.3', '0']);
  });

  it('of a report names everybody, their memory and the notes', () => {
    const text = renderReport(report);
    expect(text).toMatch(/^\| ours +\| +4 \| +3\.00 \| +2\.5 \|$/m);
    expect(text).toMatch(/^\| ours: worker \| +5 \|$/m);
    expect(text).toContain('- measured by hand');
  });
});

describe('the last line', () => {
  it('has our figure, its ratio to the baseline, and the largest process of ours', () => {
    expect(JSON.parse(renderLine(report))).toEqual({
      ...{ bench: 'export', figure: 4, unit: 'rows/s', ratio: 3, baseline: 'theirs <&>', peakRssMb: 5 },
    });
  });

  it('has our ratio to every other contender by name', () => {
    const slow = { name: 'a slow one', samples: [sample(0.5), sample(0.5), sample(1.5)] };
    const contenders = summarise([...measured, slow], 'theirs <&>');
    expect(JSON.parse(renderLine({ ...report, contenders }))).toMatchObject({ ratio: 3, ratioASlowOne: 6 });
  });

  it('has no ratio where there is no baseline', () => {
    const line = renderLine({ ...report, baseline: null, contenders: summarise(measured, null) });
    expect(JSON.parse(line)).not.toHaveProperty('ratio');
  });
});

describe('a chart', () => {
  it('draws bars in proportion and escapes what it is told', () => {
    const svg = renderChart(report);
    const widths = [...svg.matchAll(/<rect class="\w+" x="\d+" y="\d+" width="([\d.]+)"/g)].map(([, width]) =>
      Number(width),
    );
    expect(widths).toHaveLength(2);
    expect((widths[0] ?? 0) / (widths[1] ?? 1)).toBeCloseTo(4, 1);
    expect(svg).toContain('theirs &lt;&amp;&gt;');
    expect(svg).toContain('aria-label="Rows &quot;and&quot; more"');
    expect(svg).toContain('4 (3.00 ×)');
  });
});
