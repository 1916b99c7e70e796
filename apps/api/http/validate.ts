/** zod's findings as field errors with JSON pointers. */
import type { z } from 'zod';
import type { FieldError } from '../problems/problem.js';
import { FIELD_ERRORS_MAX } from './limits.js';
import { escapePointer } from './json-body.js';

export type Checked<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly errors: readonly FieldError[] };

/** Checks a value against a schema; pointers start with `prefix`. */
export function check<S extends z.ZodType>(schema: S, value: unknown, prefix = ''): Checked<z.output<S>> {
  const parsed = schema.safeParse(value, { reportInput: false });
  if (parsed.success) return { ok: true, value: parsed.data };
  return { ok: false, errors: parsed.error.issues.flatMap((issue) => toFieldErrors(issue, prefix)) };
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
