/** The section `documents` of the datasets' file: which documents there are, and what an operator says of each. */
import { z } from 'zod';
import { LANGUAGES, type Labels } from './labels.js';

const TEXT_MAX = 2_000;
const LINES_MAX = 12;
const COLUMNS_MAX = 12;

const Line = z.string().min(1).max(200);
const Lines = z.array(Line).max(LINES_MAX);
const Column = z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,62}$/, 'must be a column’s name');
const DatasetName = z.string().min(1);

/** How a value is written; `money` is of minor units, in the document's currency. */
export const VALUE_FORMATS = ['text', 'integer', 'decimal', 'percent', 'date', 'money'] as const;
export type ValueFormat = (typeof VALUE_FORMATS)[number];

const Value = z.strictObject({
  column: Column,
  label: Line,
  format: z.enum(VALUE_FORMATS).default('text'),
});
export type Value = z.output<typeof Value>;

const Common = {
  summary: z.string().max(TEXT_MAX).optional(),
  /** Names of the tenants that may ask for it; `*` for all. They must be allowed its datasets, too. */
  tenants: z.array(z.string().min(1)).min(1),
  /** Answers one row for `:object` (and `:version`): what the document is about. */
  head: DatasetName,
  /** Its table, in the order of the dataset's key. */
  lines: DatasetName,
  /** A bar for each row: `label` and `value`, in the order of the key. */
  figure: z
    .strictObject({ dataset: DatasetName, caption: Line, format: z.enum(['integer', 'money']) })
    .optional(),
  language: z.enum(LANGUAGES).default('en'),
  /** With the language it decides how numbers and dates are written, e.g. `GB`. */
  region: z
    .string()
    .regex(/^[A-Z]{2}$/, 'must be a country, e.g. GB')
    .optional(),
  paper: z.enum(['a4', 'us-letter']).default('a4'),
  accent: z
    .string()
    .regex(/^#[0-9a-f]{6}$/, 'must be a colour, e.g. #17457a')
    .default('#17457a'),
  issuer: z.strictObject({
    name: Line,
    address: Lines.default([]),
    footer: Lines.default([]),
    /** An SVG or PNG beside the datasets' file. */
    logo: z.string().min(1).optional(),
  }),
  /** Families of the folder LONGHAUL_DOCUMENT_FONTS, for what the built-in ones lack. */
  fonts: z.array(Line).max(LINES_MAX).default([]),
  intro: z.string().max(TEXT_MAX).optional(),
  notes: z.array(z.string().max(TEXT_MAX)).max(LINES_MAX).default([]),
  /** Words of its own, instead of the language's. */
  labels: z.record(z.string(), Line).default({}) as z.ZodType<Partial<Labels>>,
};

const Invoice = z.strictObject({
  layout: z.literal('invoice'),
  ...Common,
  /** How to pay: label and value. */
  payment: z
    .array(z.tuple([Line, Line]))
    .max(LINES_MAX)
    .default([]),
});

const Statement = z.strictObject({
  layout: z.literal('statement'),
  ...Common,
  heading: Line,
  facts: z.array(Value).max(LINES_MAX).default([]),
  columns: z
    .array(Value.extend({ total: z.boolean().default(false) }))
    .min(1)
    .max(COLUMNS_MAX),
  /** A column of the lines: where its value changes, totals of the lines before are drawn. */
  group: Column.optional(),
});

export const DocumentEntry = z.discriminatedUnion('layout', [Invoice, Statement]);
export type DocumentEntry = z.output<typeof DocumentEntry>;
export type InvoiceEntry = z.output<typeof Invoice>;
export type StatementEntry = z.output<typeof Statement>;

export const DocumentsSection = z.record(
  z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/, 'must be lower-case letters, digits, - and _'),
  DocumentEntry,
);
