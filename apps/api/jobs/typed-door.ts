/** A kind's own route: the body is the input itself, with what every submission may have beside it. The same acceptance stands behind. */
import type { JsonBody } from '../http/json-body.js';
import { Problem, type FieldError } from '../problems/problem.js';
import { RESERVED_FIELDS } from './job-requests.schema.js';

const BESIDE_THE_INPUT: ReadonlySet<string> = new Set([
  'onDuplicate',
  'delayUntil',
  'callback',
  ...RESERVED_FIELDS,
]);

/** The typed body as a submission of `kind`. */
export function toSubmission(kind: string, body: JsonBody): JsonBody {
  if (typeof body.value !== 'object' || body.value === null || Array.isArray(body.value)) return body;
  const beside: Record<string, unknown> = {};
  const input: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(body.value)) {
    (BESIDE_THE_INPUT.has(name) ? beside : input)[name] = value;
  }
  return { value: { kind, input, ...beside }, errors: body.errors.map(inward) };
}

/** A refusal of that submission, in the terms of the typed body. */
export function fromSubmission(problem: Problem): Problem {
  const { code, detail, errors, headers, jobId, cause } = problem;
  return new Problem(code, detail, {
    headers,
    cause,
    ...(errors ? { errors: errors.map(outward) } : {}),
    ...(jobId ? { jobId } : {}),
  });
}

function inward({ pointer, detail }: FieldError): FieldError {
  const [, first = ''] = pointer.split('/');
  return { pointer: BESIDE_THE_INPUT.has(first) ? pointer : `/input${pointer}`, detail };
}

function outward({ pointer, detail }: FieldError): FieldError {
  return { pointer: pointer.replace(/^\/input(?=\/|$)/, ''), detail };
}
