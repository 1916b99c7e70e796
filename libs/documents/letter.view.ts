/** What `letter.typ` places on paper: every word of it, written in the reader's language. */
import { LABELS, type Labels } from './labels.js';
import type { DocumentEntry } from './document.schema.js';
import type { DocumentRows, Letter, LetterFile, Row } from './letter.js';
import { chartOf } from './bar-chart.js';
import { familiesWith } from './fonts.js';
import { dayOf, type Formats } from './value.format.js';

const RIGHT_TO_LEFT = /[\p{Script=Hebrew}\p{Script=Arabic}]/u;
/** UAX #9: a text takes the direction of its first letter, whatever stands around it. */
const [FIRST_STRONG_ISOLATE, POP_ISOLATE] = ['\u2068', '\u2069'];

export interface Column {
  readonly label: string;
  readonly align: 'start' | 'end';
  /** `rest`: what the others leave. */
  readonly width: 'own' | 'rest';
}

export interface TableRow {
  readonly kind: 'line' | 'sum';
  readonly cells: readonly string[];
  /** What comes to so far, for the head of the next page. */
  readonly carried: string | null;
}

export interface Total {
  readonly label: string;
  readonly value: string;
  readonly strong: boolean;
}

export type Fact = readonly [label: string, value: string];

/** The part that is each layout's own. */
export interface Content {
  readonly title: string;
  readonly heading: string;
  readonly issuedOn: Date;
  readonly recipientLabel: string;
  /** Its first line is a name. */
  readonly recipient: readonly string[];
  readonly facts: readonly Fact[];
  readonly columns: readonly Column[];
  readonly rows: readonly TableRow[];
  readonly totals: readonly Total[];
  readonly payment: readonly Fact[];
}

/** The words an entry uses: its language's, and its own instead of them. */
export function labelsOf({ language, labels }: DocumentEntry): Labels {
  return { ...LABELS[language], ...labels };
}

/** A content as a letter of this issuer. */
export function letterOf(
  entry: DocumentEntry,
  content: Content,
  rows: DocumentRows,
  { formats, logo }: { readonly formats: Formats; readonly logo: LetterFile | undefined },
): Letter {
  const labels = labelsOf(entry);
  const { issuer, language, region, paper, accent, intro, notes, figure } = entry;
  const { issuedOn, rows: lines, ...rest } = content;
  const chart = figure && rows.figure.length > 0 ? chartOf(figure, rows.figure, accent, formats) : undefined;
  const view = {
    ...rest,
    ...{ language, region: region ?? null, paper, accent },
    issuer: { ...issuer, logo: logo?.name ?? null },
    date: {
      year: issuedOn.getUTCFullYear(),
      month: issuedOn.getUTCMonth() + 1,
      day: issuedOn.getUTCDate(),
    },
    fonts: familiesWith(entry.fonts),
    intro: intro ?? null,
    notes,
    page: labels.page,
    carriedLabel: labels.carried,
    rows: lines.map((line) => ({ ...line, cells: line.cells.map(placed) })),
    recipient: content.recipient.map(placed),
    facts: content.facts.map(([label, value]) => [label, placed(value)]),
    figure: chart ? { ...chart.view, first: entry.layout === 'statement' } : null,
  };
  return { view, files: [...(logo ? [logo] : []), ...(chart ? [chart.file] : [])] };
}

/** The lines of a text of a row; none where it is missing. */
export function linesOf(row: Row, column: string): string[] {
  return (row[column] ?? '').split(/\r?\n/).filter((line) => line.trim() !== '');
}

/** A day the document cannot do without. */
export function issuedOnOf(row: Row): Date {
  return dayOf(row['issued_on'] ?? '', 'issued_on');
}

/** As it is placed: long words broken, and what is written from right to left in its own order. */
function placed(text: string): string {
  return RIGHT_TO_LEFT.test(text)
    ? `${FIRST_STRONG_ISOLATE}${breakable(text)}${POP_ISOLATE}`
    : breakable(text);
}

/** A word that no line would hold may be broken anywhere: after every so many letters, unseen. */
function breakable(text: string): string {
  return text.replace(/\S{30,}/gu, (word) => word.replace(/(?:\P{M}\p{M}*){8}/gu, '$&\u200b'));
}
