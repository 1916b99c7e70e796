/** A statement: the rows of a dataset as the operator named their columns, with totals of each group and of all. */
import type { StatementEntry } from './document.schema.js';
import type { DocumentRows, Row } from './letter.js';
import { issuedOnOf, labelsOf, linesOf, type Content, type Fact, type TableRow } from './letter.view.js';
import { wholeOf, type Formats } from './value.format.js';

/** Columns its datasets must have; more are named in its entry. */
export const STATEMENT_COLUMNS = { head: ['subject', 'issued_on'], lines: [] } as const;

type Sums = ReadonlyMap<string, bigint>;

export function statementContent(
  entry: StatementEntry,
  { head, lines }: DocumentRows,
  formats: Formats,
): Content {
  const labels = labelsOf(entry);
  const [subject = ''] = linesOf(head, 'subject');
  const rest = entry.columns.findIndex(({ format }) => format === 'text');
  return {
    title: `${entry.heading} · ${subject}`,
    heading: entry.heading,
    issuedOn: issuedOnOf(head),
    recipientLabel: labels.for,
    recipient: [subject, ...linesOf(head, 'subject').slice(1)],
    facts: entry.facts.map(({ label, column, format }): Fact => [label, formats.value(format, head, column)]),
    columns: entry.columns.map(({ label, format }, index) => ({
      label,
      align: format === 'text' || format === 'date' ? ('start' as const) : ('end' as const),
      width: index === rest ? ('rest' as const) : ('own' as const),
    })),
    rows: rowsOf(entry, lines, formats),
    totals: [],
    payment: [],
  };
}

function rowsOf(entry: StatementEntry, lines: readonly Row[], formats: Formats): TableRow[] {
  const { columns, group } = entry;
  const labels = labelsOf(entry);
  const totalled = columns.filter(({ total }) => total);
  const sumRow = (label: string, sums: Sums): TableRow => ({
    kind: 'sum',
    cells: columns.map(({ column, format, total }, index) =>
      total
        ? formats.value(format, { [column]: String(sums.get(column) ?? 0n) }, column)
        : index === 0
          ? label
          : '',
    ),
    carried: null,
  });
  const sumOf = (of: readonly Row[]): Sums =>
    new Map(
      totalled.map(({ column }) => [
        column,
        of.reduce((sum, line) => sum + wholeOf(line[column] ?? '0', column), 0n),
      ]),
    );
  const lineRow = (line: Row): TableRow => ({
    kind: 'line',
    cells: columns.map(({ column, format }) => formats.value(format, line, column)),
    carried: null,
  });
  const body = groupsOf(lines, group).flatMap((of) => [
    ...of.map(lineRow),
    ...(group === undefined || totalled.length === 0 ? [] : [sumRow(labels.subtotal, sumOf(of))]),
  ]);
  return totalled.length === 0 ? body : [...body, sumRow(labels.total, sumOf(lines))];
}

/** Runs of lines with the same value; all of them where nothing groups them. */
function groupsOf(lines: readonly Row[], group: string | undefined): Row[][] {
  if (group === undefined) return [[...lines]];
  const groups: Row[][] = [];
  for (const line of lines) {
    const last = groups.at(-1);
    if (last && last[0]?.[group] === line[group]) last.push(line);
    else groups.push([line]);
  }
  return groups;
}
