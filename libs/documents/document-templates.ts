/** The documents an operator configured, beside the datasets they are made of: read and checked once, at boot. */
import { readFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import type { Dataset, Datasets } from '../datasets/datasets.js';
import { DocumentsSection, type DocumentEntry } from './document.schema.js';
import { INVOICE_COLUMNS } from './invoice.view.js';
import type { LetterFile } from './letter.js';
import { STATEMENT_COLUMNS } from './statement.view.js';

const LOGO_BYTES_MAX = 512 << 10;
const LOGO_TYPES = new Set(['.svg', '.png']);
/** What a dataset is asked by. */
export const OBJECT_PARAMETER = 'object';
export const VERSION_PARAMETER = 'version';
const REQUIRED = { invoice: INVOICE_COLUMNS, statement: STATEMENT_COLUMNS } as const;

export interface DocumentTemplate {
  readonly name: string;
  readonly entry: DocumentEntry;
  readonly head: Dataset;
  readonly lines: Dataset;
  readonly figure: Dataset | undefined;
  readonly logo: LetterFile | undefined;
}

export interface DocumentTemplates {
  /** The template of that name, if this tenant may use it and its datasets; whether it exists for others is not told. */
  find(name: string, tenant: { readonly name: string }): DocumentTemplate | undefined;
}

/** Reads the section `documents` of the datasets' file. Throws one Error that names every wrong entry. */
export function loadDocumentTemplates(file: string | undefined, datasets: Datasets): DocumentTemplates {
  if (file === undefined) return parseDocumentTemplates({}, datasets, () => missingFile(''));
  try {
    const { documents = {} } = JSON.parse(readFileSync(file, 'utf8')) as { documents?: unknown };
    return parseDocumentTemplates(documents, datasets, (name) => readFileSync(join(dirname(file), name)));
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new Error(`The documents of the file ${file} (LONGHAUL_DATASETS) cannot be used:\n${detail}`, {
      cause: error,
    });
  }
}

/** Checks the section; `read` reads a file beside it. */
export function parseDocumentTemplates(
  section: unknown,
  datasets: Datasets,
  read: (name: string) => Uint8Array = missingFile,
): DocumentTemplates {
  const parsed = DocumentsSection.safeParse(section);
  if (!parsed.success) {
    throw new Error(
      parsed.error.issues.map(({ path, message }) => `  documents.${path.join('.')}: ${message}`).join('\n'),
    );
  }
  const problems: string[] = [];
  const templates = new Map<string, DocumentTemplate>();
  for (const [name, entry] of Object.entries(parsed.data)) {
    const complain = (where: string, what: string): void => {
      problems.push(`  documents.${name}.${where}: ${what}`);
    };
    const template = templateOf(name, entry, datasets, { read, complain });
    if (template) templates.set(name, template);
  }
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return {
    find(name, tenant) {
      const template = templates.get(name);
      if (!template) return undefined;
      const { tenants, head, lines, figure } = template.entry;
      const mayUse =
        (tenants.includes('*') || tenants.includes(tenant.name)) &&
        [head, lines, ...(figure ? [figure.dataset] : [])].every((dataset) => datasets.find(dataset, tenant));
      return mayUse ? template : undefined;
    },
  };
}

interface Checking {
  readonly read: (name: string) => Uint8Array;
  readonly complain: (where: string, what: string) => void;
}

function templateOf(
  name: string,
  entry: DocumentEntry,
  datasets: Datasets,
  checking: Checking,
): DocumentTemplate | undefined {
  const { complain } = checking;
  const required = REQUIRED[entry.layout];
  const find = (where: string, dataset: string, columns: readonly string[]): Dataset | undefined => {
    const found = datasets.named(dataset);
    if (!found) complain(where, `there is no dataset "${dataset}" in this file`);
    else for (const problem of problemsOf(found, columns)) complain(where, problem);
    return found;
  };
  const head = find('head', entry.head, [...required.head, ...columnsOfHead(entry)]);
  const lines = find('lines', entry.lines, [...required.lines, ...columnsOfLines(entry)]);
  const figure = entry.figure && find('figure.dataset', entry.figure.dataset, ['label', 'value']);
  for (const other of [lines, figure]) {
    if (head && other && other.source !== head.source) {
      complain(
        'head',
        `"${head.name}" and "${other.name}" have different sources; a document is of one moment of one database`,
      );
    }
  }
  const logo = entry.issuer.logo === undefined ? undefined : logoOf(entry.issuer.logo, checking);
  return head && lines && { name, entry, head, lines, figure, logo };
}

function problemsOf(dataset: Dataset, columns: readonly string[]): string[] {
  const missing = [...new Set(columns)].filter((column) => !dataset.columns.has(column));
  const unfilled = [...dataset.parameters].filter(
    ([parameter, { default: value }]) =>
      parameter !== OBJECT_PARAMETER && parameter !== VERSION_PARAMETER && value === undefined,
  );
  return [
    ...(missing.length > 0
      ? [`dataset "${dataset.name}" lacks the columns ${missing.join(', ')}; let its query name them so`]
      : []),
    ...(dataset.parameters.get(OBJECT_PARAMETER)?.type === 'text'
      ? []
      : [`dataset "${dataset.name}" needs the parameter "${OBJECT_PARAMETER}" of type text`]),
    ...unfilled.map(
      ([parameter]) => `dataset "${dataset.name}" has the parameter "${parameter}", which nobody fills in`,
    ),
  ];
}

function columnsOfHead(entry: DocumentEntry): string[] {
  return entry.layout === 'statement' ? entry.facts.map(({ column }) => column) : [];
}

function columnsOfLines(entry: DocumentEntry): string[] {
  if (entry.layout !== 'statement') return [];
  return [...entry.columns.map(({ column }) => column), ...(entry.group === undefined ? [] : [entry.group])];
}

function logoOf(file: string, { read, complain }: Checking): LetterFile | undefined {
  const extension = extname(file).toLowerCase();
  if (!LOGO_TYPES.has(extension)) {
    complain('issuer.logo', `"${file}" must be an .svg or a .png`);
    return undefined;
  }
  try {
    const bytes = read(file);
    if (bytes.length <= LOGO_BYTES_MAX) return { name: `logo${extension}`, bytes };
    complain('issuer.logo', `"${file}" has ${bytes.length} bytes; a logo has ${LOGO_BYTES_MAX} at most`);
  } catch (error) {
    complain(
      'issuer.logo',
      `"${file}" cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  return undefined;
}

function missingFile(name: string): never {
  throw new Error(`there is no file "${name}"`);
}
