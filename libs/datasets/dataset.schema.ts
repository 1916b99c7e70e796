/** The datasets' file: what an operator may write in it, and what is checked before anything starts. */
import { z } from 'zod';
import { COLUMN_TYPES } from './column-type.js';

export const FILTER_OPERATORS = ['eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in', 'isNull'] as const;
export type FilterOperator = (typeof FILTER_OPERATORS)[number];

const Identifier = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_]{0,62}$/, 'must be letters, digits and _, and begin with a letter');
const TypeName = z.enum(COLUMN_TYPES);

/** One entry of `datasets`. */
export const DatasetEntry = z.strictObject({
  summary: z.string().optional(),
  /** The environment variable that holds the URL of the source database, with a login that can only read. */
  source: z.string().regex(/^[A-Z][A-Z0-9_]*$/, 'must be the name of an environment variable'),
  /** Names of the tenants that may use it; `*` for all. */
  tenants: z.array(z.string().min(1)).min(1),
  /** One SELECT; `:tenant` (its id), `:tenant_name` and the parameters below are filled in. */
  query: z.string().min(1),
  /** The column parts are cut by: unique, never null, and indexed if it is to be quick. */
  key: Identifier,
  /** Every column a client may ask for, with its type, in the order of the file. */
  columns: z.record(Identifier, TypeName),
  filters: z.record(Identifier, z.array(z.enum(FILTER_OPERATORS)).min(1)).default({}),
  /** Columns a client may order by; the key's own order is always allowed. */
  orders: z.array(Identifier).default([]),
  parameters: z
    .record(
      Identifier,
      z.strictObject({
        type: TypeName,
        default: z.union([z.string(), z.number(), z.boolean()]).optional(),
      }),
    )
    .default({}),
  /** A query answering one row `(ready boolean, message text)`; exports wait until it is true. */
  readiness: z.string().optional(),
});
export type DatasetEntry = z.output<typeof DatasetEntry>;

export const DatasetsFile = z.strictObject({
  datasets: z.record(
    z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/, 'must be lower-case letters, digits, - and _'),
    DatasetEntry,
  ),
  /** Checked by libs/documents. */
  documents: z.unknown().optional(),
});
