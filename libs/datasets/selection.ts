/** What a client may choose of a dataset; the input of `report.export` has this shape. */
import type { FilterOperator } from './dataset.schema.js';

export type SelectionValue = string | number | boolean;
export type Condition = {
  readonly [O in FilterOperator]?: SelectionValue | readonly SelectionValue[] | undefined;
};

export interface Selection {
  readonly dataset: string;
  readonly columns?: readonly string[] | undefined;
  readonly filter?: Readonly<Record<string, Condition>> | undefined;
  readonly parameters?: Readonly<Record<string, SelectionValue>> | undefined;
  readonly order?: { readonly column: string; readonly direction: 'asc' | 'desc' } | undefined;
}

/** Whether the rows come in the order parts are cut by: the key's, rising. */
export function isInKeyOrder(selection: Selection, key: string): boolean {
  const { order } = selection;
  return order === undefined || (order.column === key && order.direction === 'asc');
}
