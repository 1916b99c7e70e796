/** A figure of bars as SVG: shapes only. Its words are set beside it, in the document's own fonts. */
import { DocumentRefusal } from './document.refusal.js';
import type { DocumentEntry } from './document.schema.js';
import type { LetterFile, Row } from './letter.js';
import { wholeOf, type Formats } from './value.format.js';

export const BARS_MAX = 40;
const [WIDTH, HEIGHT] = [1_000, 180];
const BAR_SHARE = 0.62;
const RULES = 4;
const FILE = 'figure.svg';

export interface Chart {
  readonly file: LetterFile;
  readonly view: object;
}

/** The bars of rows `(label, value)`; the largest is named in full. Throws DocumentRefusal for values below zero. */
export function chartOf(
  figure: NonNullable<DocumentEntry['figure']>,
  rows: readonly Row[],
  colour: string,
  formats: Formats,
): Chart {
  const bars = rows.map((row) => ({
    label: row['label'] ?? '',
    value: wholeOf(row['value'] ?? '', 'value'),
  }));
  if (bars.length > BARS_MAX) {
    throw new DocumentRefusal(
      'figure_too_wide',
      `A figure has ${BARS_MAX} bars at most; dataset "${figure.dataset}" answers more.`,
    );
  }
  if (bars.some(({ value }) => value < 0n)) {
    throw new DocumentRefusal(
      'figure_negative',
      `A figure's bars begin at zero; dataset "${figure.dataset}" answers a value below it.`,
    );
  }
  const most = bars.reduce((largest, { value }) => (value > largest ? value : largest), 0n);
  const text = (value: bigint): string =>
    figure.format === 'money'
      ? formats.money(value)
      : formats.value('integer', { value: String(value) }, 'value');
  const alt = `${figure.caption}: ${bars.map(({ label, value }) => `${label} ${text(value)}`).join(', ')}`;
  return {
    file: {
      name: FILE,
      bytes: Buffer.from(
        svgOf(
          bars.map(({ value }) => value),
          most,
          colour,
        ),
      ),
    },
    view: {
      file: FILE,
      caption: figure.caption,
      alt,
      most: text(most),
      labels: bars.map(({ label }) => label),
    },
  };
}

function svgOf(values: readonly bigint[], most: bigint, colour: string): string {
  const step = WIDTH / values.length;
  const rules = Array.from({ length: RULES }, (_, index) => (HEIGHT / RULES) * index).map(
    (y) => `<line x1="0" x2="${WIDTH}" y1="${y}" y2="${y}" stroke="#e3e7ec" stroke-width="1"/>`,
  );
  const bars = values.map((value, index) => {
    // Tenths of a unit are finer than any printer.
    const height = most === 0n ? 0 : Number((value * BigInt(HEIGHT * 10)) / most) / 10;
    const x = (step * (index + (1 - BAR_SHARE) / 2)).toFixed(1);
    return `<rect x="${x}" y="${(HEIGHT - height).toFixed(1)}" width="${(step * BAR_SHARE).toFixed(1)}" height="${height.toFixed(1)}" rx="2" fill="${colour}"/>`;
  });
  const base = `<line x1="0" x2="${WIDTH}" y1="${HEIGHT}" y2="${HEIGHT}" stroke="#9aa4b1" stroke-width="2"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}">${[...rules, ...bars, base].join('')}</svg>`;
}
