/** What only the datasets can say of an input, asked when a job is posted: each problem becomes part of a 422. */
import { expectationOf, isOfType, type ColumnType } from './column-type.js';
import type { FilterOperator } from './dataset.schema.js';
import type { Dataset, Datasets } from './datasets.js';
import type { Condition, Selection, SelectionValue } from './selection.js';

export interface AcceptanceProblem {
  /** A JSON pointer from the body's root, e.g. `/input/filter/delay/gte`. */
  readonly pointer: string;
  readonly detail: string;
}

export interface AcceptanceContext {
  readonly tenantId: string;
  readonly tenantName: string;
  readonly datasets: Datasets;
}

export type AcceptanceCheck = (input: unknown, context: AcceptanceContext) => AcceptanceProblem[];

/** By kind. The input has passed the kind's schema already. */
export const acceptanceChecks: Readonly<Record<string, AcceptanceCheck>> = {
  'report.export': (input, context) => problemsOfExport(input as Selection, '/input', context),
  'report.delivery': (input, context) =>
    problemsOfExport((input as { report: Selection }).report, '/input/report', context),
};

function problemsOfExport(
  selection: Selection,
  at: string,
  { datasets, tenantName }: AcceptanceContext,
): AcceptanceProblem[] {
  const dataset = datasets.find(selection.dataset, { name: tenantName });
  if (!dataset) {
    return [{ pointer: `${at}/dataset`, detail: `There is no dataset "${selection.dataset}".` }];
  }
  return problemsOfSelection(dataset, selection).map(({ pointer, detail }) => ({
    pointer: at + pointer,
    detail,
  }));
}

/** Everything in a selection that the dataset does not allow; pointers are relative to the selection. */
export function problemsOfSelection(dataset: Dataset, selection: Selection): AcceptanceProblem[] {
  return [
    ...(selection.columns ?? []).flatMap((column, index) =>
      dataset.columns.has(column)
        ? []
        : [{ pointer: `/columns/${index}`, detail: unknownOf('column', column, dataset.columns.keys()) }],
    ),
    ...Object.entries(selection.filter ?? {}).flatMap(([column, condition]) =>
      problemsOfCondition(dataset, column, condition),
    ),
    ...problemsOfParameters(dataset, selection.parameters ?? {}),
    ...(selection.order && !dataset.orders.has(selection.order.column)
      ? [{ pointer: '/order/column', detail: unknownOf('order', selection.order.column, dataset.orders) }]
      : []),
  ];
}

function problemsOfCondition(dataset: Dataset, column: string, condition: Condition): AcceptanceProblem[] {
  const type = dataset.columns.get(column);
  const allowed = dataset.filters.get(column);
  if (type === undefined || allowed === undefined) {
    return [{ pointer: `/filter/${column}`, detail: unknownOf('filter', column, dataset.filters.keys()) }];
  }
  const given = Object.entries(condition) as [FilterOperator, Condition[FilterOperator]][];
  return given.flatMap(([operator, value]) => {
    const pointer = `/filter/${column}/${operator}`;
    if (value === undefined) return [];
    if (!allowed.has(operator)) return [{ pointer, detail: unknownOf('operator', operator, allowed) }];
    if (operator === 'isNull') return [];
    const values: readonly SelectionValue[] = typeof value === 'object' ? value : [value];
    return values.flatMap((one, index) =>
      problemOfValue(operator === 'in' ? `${pointer}/${index}` : pointer, type, one),
    );
  });
}

function problemsOfParameters(
  dataset: Dataset,
  given: Readonly<Record<string, SelectionValue>>,
): AcceptanceProblem[] {
  const unknown = Object.entries(given).flatMap(([name, value]) => {
    const type = dataset.parameters.get(name)?.type;
    if (type !== undefined) return problemOfValue(`/parameters/${name}`, type, value);
    return [
      { pointer: `/parameters/${name}`, detail: unknownOf('parameter', name, dataset.parameters.keys()) },
    ];
  });
  const missing = [...dataset.parameters].flatMap(([name, parameter]) =>
    parameter.default === undefined && !Object.hasOwn(given, name)
      ? [
          {
            pointer: `/parameters/${name}`,
            detail: `Expected ${expectationOf(parameter.type)}; it is missing.`,
          },
        ]
      : [],
  );
  return [...unknown, ...missing];
}

function problemOfValue(pointer: string, type: ColumnType, value: SelectionValue): AcceptanceProblem[] {
  return isOfType(type, value) ? [] : [{ pointer, detail: `Expected ${expectationOf(type)}.` }];
}

function unknownOf(what: string, name: string, known: Iterable<string>): string {
  const names = [...known].join(', ');
  return `The dataset has no ${what} "${name}"; it has: ${names === '' ? 'none' : names}.`;
}
