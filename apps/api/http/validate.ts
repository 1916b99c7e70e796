/** zod's findings as field errors with JSON pointers, in words for whoever sent the value. */
import type { z } from 'zod';
import { Problem, type FieldError } from '../problems/problem.js';
import { FIELD_ERRORS_MAX } from './limits.js';
import { escapePointer, type JsonBody } from './json-body.js';

export type Checked<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly errors: readonly FieldError[] };

/** Checks a value against a schema; pointers start with `prefix`. */
export function check<S extends z.ZodType>(schema: S, value: unknown, prefix = ''): Checked<z.output<S>> {
  const parsed = schema.safeParse(value, { reportInput: false, error: wordingOf });
  if (parsed.success) return { ok: true, value: parsed.data };
  return { ok: false, errors: parsed.error.issues.flatMap((issue) => toFieldErrors(issue, prefix)) };
}

/** A body's value; throws Problem `validation_failed` with `detail` and every error, those of its inspection too. */
export function checkBody<S extends z.ZodType>(schema: S, body: JsonBody, detail: string): z.output<S> {
  const checked = check(schema, body.value);
  const errors = [...body.errors, ...(checked.ok ? [] : checked.errors)];
  if (checked.ok && errors.length === 0) return checked.value;
  throw new Problem('validation_failed', detail, { errors: distinct(errors) });
}

/** Where zod's own words would mislead: of what is missing, of whole numbers, of alternatives. Undefined leaves them. */
function wordingOf(issue: z.core.$ZodRawIssue): string | undefined {
  const expected = expectationOf(issue);
  if (expected === undefined) return undefined;
  if (issue.input === undefined) return `missing: expected ${expected}`;
  // What came is of the right type, and its value is not: zod would say "expected int, received number".
  if (issue.code === 'invalid_type' && !(issue.expected in TYPE_NAMES)) return undefined;
  return `expected ${expected}`;
}

const TYPE_NAMES: Readonly<Record<string, string>> = { int: 'a whole number', record: 'object' };

function expectationOf(issue: z.core.$ZodRawIssue | z.core.$ZodIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return TYPE_NAMES[issue.expected] ?? issue.expected;
    case 'invalid_value':
      return `one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`;
    case 'invalid_union': {
      const alternatives = issue.errors.flat().flatMap((error) => expectationOf(error) ?? []);
      return alternatives.length === 0 ? undefined : [...new Set(alternatives)].join(' or ');
    }
    default:
      return undefined;
  }
}

function toFieldErrors(issue: z.core.$ZodIssue, prefix: string): FieldError[] {
  const pointer = prefix + issue.path.map((part) => `/${escapePointer(String(part))}`).join('');
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        pointer: `${pointer}/${escapePointer(key)}`,
        detail: 'unknown field',
      }));
    case 'invalid_key':
      return [
        { pointer, detail: `the name is not allowed: ${issue.issues.map((i) => i.message).join('; ')}` },
      ];
    default:
      return [{ pointer, detail: issue.message }];
  }
}

/** Each pointer and detail once, as many as one answer names, and well-formed whatever the client's names were. */
export function distinct(errors: readonly FieldError[]): FieldError[] {
  const seen = new Map<string, FieldError>();
  for (const error of errors) {
    const clean = { pointer: storable(error.pointer), detail: storable(error.detail) };
    seen.set(`${clean.pointer}\n${clean.detail}`, clean);
  }
  const all = [...seen.values()];
  return all.length <= FIELD_ERRORS_MAX
    ? all
    : [
        ...all.slice(0, FIELD_ERRORS_MAX),
        { pointer: '', detail: `and ${all.length - FIELD_ERRORS_MAX} more` },
      ];
}

/** An answer quotes the client's names; a batch's answers are stored, and PostgreSQL holds no NUL. */
function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd');
}
