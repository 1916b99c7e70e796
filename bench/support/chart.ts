/** A report as an SVG of horizontal bars, readable on light and dark pages. Pure. */
import type { Report } from './report.js';
import { formatFigure } from './table.js';

const WIDTH = 720;
const LABEL_WIDTH = 190;
const VALUE_WIDTH = 150;
const ROW_HEIGHT = 30;
const BAR_HEIGHT = 18;
const TOP = 56;
const BOTTOM = 34;

/** One bar a contender, by its median; the spread of its rounds as a thin line. */
export function renderChart({ title, unit, contenders, machine }: Report): string {
  const most = Math.max(...contenders.flatMap(({ values }) => values), 1);
  const scale = (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / most;
  const height = TOP + contenders.length * ROW_HEIGHT + BOTTOM;
  const rows = contenders.map(({ name, value, ratio, values }, index) => {
    const top = TOP + index * ROW_HEIGHT;
    const middle = top + BAR_HEIGHT / 2;
    const [least, greatest] = [Math.min(...values), Math.max(...values)].map(
      (end) => LABEL_WIDTH + end * scale,
    );
    const figure = `${formatFigure(value)}${ratio === null || ratio === 1 ? '' : ` (${ratio.toFixed(2)} ×)`}`;
    return `  <text class="label" x="${LABEL_WIDTH - 10}" y="${middle + 4}" text-anchor="end">${escapeText(name)}</text>
  <rect class="${index === 0 ? 'ours' : 'theirs'}" x="${LABEL_WIDTH}" y="${top}" width="${round(value * scale)}" height="${BAR_HEIGHT}" rx="2"/>
  <line class="spread" x1="${round(least ?? 0)}" x2="${round(greatest ?? 0)}" y1="${middle}" y2="${middle}"/>
  <text x="${round((greatest ?? 0) + 8)}" y="${middle + 4}">${figure}</text>`;
  });
  const where = `${machine.processor}, ${machine.cores} cores, Node ${machine.node.slice(1)}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escapeText(title)}">
  <style>
    text { font: 13px system-ui, sans-serif; fill: #24292f; }
    .title { font-size: 15px; font-weight: 600; }
    .note { font-size: 11px; fill: #6e7781; }
    .ours { fill: #2f81f7; }
    .theirs { fill: #9aa4ae; }
    .spread { stroke: #24292f; stroke-width: 1.5; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .note { fill: #8d96a0; }
      .spread { stroke: #e6edf3; }
    }
  </style>
  <text class="title" x="12" y="24">${escapeText(title)}</text>
  <text class="note" x="12" y="42">${escapeText(unit)}, median; the line is the spread of the rounds</text>
${rows.join('\n')}
  <text class="note" x="12" y="${height - 12}">${escapeText(where)}</text>
</svg>
`;
}

function round(value: number): string {
  return value.toFixed(1);
}

function escapeText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
