/** Reports as text: a table in Markdown's form, which is also readable on a terminal. Pure. */
import type { Report } from './report.js';

const BYTES_PER_MB = 1e6;
const FIGURES_SHOWN = 3;

/** 1234567 → `1,234,567`; 0.9172 → `0.917`. */
export function formatFigure(value: number): string {
  const decimals = Math.max(0, FIGURES_SHOWN - 1 - Math.floor(Math.log10(Math.abs(value) || 1)));
  return value.toLocaleString('en-US', { maximumFractionDigits: Math.min(decimals, FIGURES_SHOWN) });
}

/** Columns padded to the same width; the first is text, the others are numbers. */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, 3, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, column) => pad(cells[column] ?? '', width, column)).join(' | ')} |`;
  const rule = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}

function pad(text: string, width: number, column: number): string {
  return column === 0 ? text.padEnd(width) : text.padStart(width);
}

/** The bench's own table, then the memory of every process, then the notes. */
export function renderReport(report: Report): string {
  const { contenders, baseline, unit } = report;
  const figures = [...new Set(contenders.flatMap((contender) => Object.keys(contender.figures)))];
  const speeds = renderTable(
    ['', unit, ...(baseline === null ? [] : [`× ${baseline}`]), ...figures],
    contenders.map((contender) => [
      contender.name,
      formatFigure(contender.value),
      ...(baseline === null ? [] : [contender.ratio === null ? '' : contender.ratio.toFixed(2)]),
      ...figures.map((name) => cell(contender.figures[name])),
    ]),
  );
  const measured = contenders.some(({ rss }) => Object.keys(rss).length > 0);
  const memory = renderTable(
    ['peak RSS', 'MB'],
    contenders.flatMap(({ name, rss }) =>
      Object.entries(rss).map(([process, bytes]) => [
        `${name}: ${process}`,
        formatFigure(Math.round(bytes / BYTES_PER_MB)),
      ]),
    ),
  );
  const notes = report.notes.map((note) => `- ${note}`).join('\n');
  return [report.title, speeds, ...(measured ? [memory] : []), notes].join('\n\n');
}

function cell(value: number | undefined): string {
  return value === undefined ? '' : formatFigure(value);
}
