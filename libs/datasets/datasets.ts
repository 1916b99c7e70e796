/** The datasets an operator configured: read and checked once, at boot. */
import { readFileSync } from 'node:fs';
import { expectationOf, isOfType, type ColumnType } from './column-type.js';
import { DatasetsFile, type DatasetEntry, type FilterOperator } from './dataset.schema.js';
import { parseTemplate, type QueryTemplate } from './template.sql.js';

export interface DatasetParameter {
  readonly type: ColumnType;
  readonly default: string | number | boolean | undefined;
}

export interface Dataset {
  readonly name: string;
  /** The environment variable with the source's URL. */
  readonly source: string;
  readonly query: QueryTemplate;
  readonly key: string;
  readonly keyType: ColumnType;
  /** In the order of the file. */
  readonly columns: ReadonlyMap<string, ColumnType>;
  readonly filters: ReadonlyMap<string, ReadonlySet<FilterOperator>>;
  readonly orders: ReadonlySet<string>;
  readonly parameters: ReadonlyMap<string, DatasetParameter>;
  readonly readiness: string | undefined;
}

export interface Datasets {
  /** The dataset of that name, if this tenant may use it; whether it exists for others is not told. */
  find(name: string, tenant: { readonly name: string }): Dataset | undefined;
  /** The dataset of that name, whoever may use it: for checks of the operator's own. */
  named(name: string): Dataset | undefined;
  /** The environment variables of all sources. */
  readonly sources: readonly string[];
}

/** Reads the datasets' file; without one, no dataset is known. Throws one Error that names every wrong entry. */
export function loadDatasets(file: string | undefined): Datasets {
  if (file === undefined) return datasetsOf({});
  try {
    return parseDatasets(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new Error(`The datasets' file ${file} (LONGHAUL_DATASETS) cannot be used:\n${detail}`, {
      cause: error,
    });
  }
}

/** Checks the content of a datasets' file. */
export function parseDatasets(content: unknown): Datasets {
  const parsed = DatasetsFile.safeParse(content);
  const problems = parsed.success
    ? Object.entries(parsed.data.datasets).flatMap(([name, entry]) => problemsOf(name, entry))
    : parsed.error.issues.map((issue) => `  ${issue.path.join('.') || 'the file'}: ${issue.message}`);
  if (!parsed.success || problems.length > 0) throw new Error(problems.join('\n'));
  return datasetsOf(parsed.data.datasets);
}

const RESERVED_PARAMETERS = new Set(['tenant', 'tenant_name']);

/** What the schema cannot say, each with the entry it is about. */
function problemsOf(name: string, entry: DatasetEntry): string[] {
  const problems: string[] = [];
  const complain = (where: string, what: string): void => {
    problems.push(`  datasets.${name}.${where}: ${what}`);
  };
  const columns = new Set(Object.keys(entry.columns));
  const known = [...columns].join(', ');
  if (!columns.has(entry.key)) complain('key', `"${entry.key}" is not among its columns (${known})`);
  for (const column of Object.keys(entry.filters)) {
    if (!columns.has(column)) complain(`filters.${column}`, `is not among its columns (${known})`);
  }
  for (const column of entry.orders) {
    if (!columns.has(column)) complain('orders', `"${column}" is not among its columns (${known})`);
  }
  for (const [parameter, { type, default: value }] of Object.entries(entry.parameters)) {
    if (RESERVED_PARAMETERS.has(parameter))
      complain(`parameters.${parameter}`, 'is a name Longhaul fills in itself');
    if (value !== undefined && !isOfType(type, value)) {
      complain(`parameters.${parameter}.default`, `must be ${expectationOf(type)}`);
    }
  }
  try {
    for (const placeholder of parseTemplate(entry.query).names) {
      if (!RESERVED_PARAMETERS.has(placeholder) && !Object.hasOwn(entry.parameters, placeholder)) {
        complain('query', `:${placeholder} is neither :tenant, :tenant_name nor one of its parameters`);
      }
    }
  } catch (error) {
    complain('query', error instanceof Error ? error.message : String(error));
  }
  return problems;
}

function datasetsOf(entries: Readonly<Record<string, DatasetEntry>>): Datasets {
  const datasets = new Map(Object.entries(entries).map(([name, entry]) => [name, datasetOf(name, entry)]));
  const tenants = new Map(Object.entries(entries).map(([name, entry]) => [name, new Set(entry.tenants)]));
  return {
    sources: [...new Set([...datasets.values()].map((dataset) => dataset.source))],
    named: (name) => datasets.get(name),
    find(name, tenant) {
      const allowed = tenants.get(name);
      return allowed?.has('*') || allowed?.has(tenant.name) ? datasets.get(name) : undefined;
    },
  };
}

function datasetOf(name: string, entry: DatasetEntry): Dataset {
  const columns = new Map(Object.entries(entry.columns));
  const keyType = columns.get(entry.key);
  if (keyType === undefined) throw new Error(`datasets.${name}.key is not among its columns`);
  return {
    name,
    source: entry.source,
    query: parseTemplate(entry.query),
    key: entry.key,
    keyType,
    columns,
    filters: new Map(
      Object.entries(entry.filters).map(([column, operators]) => [column, new Set(operators)]),
    ),
    orders: new Set([entry.key, ...entry.orders]),
    parameters: new Map(
      Object.entries(entry.parameters).map(([parameter, { type, default: value }]) => [
        parameter,
        { type, default: value },
      ]),
    ),
    readiness: entry.readiness,
  };
}
