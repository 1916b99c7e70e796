/** What a decision carries, held against the step's own schemas: the saga goes on with it as if the step had said it. */
import type { z } from 'zod';
import type { Step } from '../../../libs/saga/define.js';
import { payloadProblem } from '../../../libs/saga/payload.js';
import type { DeadLetterRecord } from '../../../libs/store/dead-letters.store.js';
import { check, type Checked } from '../http/validate.js';
import type { FieldError } from '../problems/problem.js';
import type { DecisionBody } from './dead-letter.schema.js';
import { isUndecided } from './dead-letter.view.js';

/** Absent, not undefined, where the decision carries none. */
export interface DecisionValues {
  readonly input?: unknown;
  readonly output?: unknown;
}

/** The values as the step's schemas make them, or every error at once. `step`: undefined where it is not known here. */
export function checkValues(
  body: DecisionBody,
  letter: DeadLetterRecord,
  step: Step | undefined,
): Checked<DecisionValues> {
  const misplaced = misplacedIn(body);
  if (misplaced.length > 0) return { ok: false, errors: misplaced };
  // What is impossible anyway is not asked for: the refusal says more than a missing value.
  const isPossible = isUndecided(letter) && letter.possible.includes(body.decision);
  if (body.decision === 'resolve' && (body.output !== undefined || isPossible))
    return checkValue('output', body.output, step?.output);
  if (body.input !== undefined) return checkValue('input', body.input, step?.args);
  return { ok: true, value: {} };
}

function misplacedIn({ decision, input, output }: DecisionBody): FieldError[] {
  return [
    ...(input !== undefined && decision !== 'retry'
      ? [{ pointer: '/input', detail: 'only a retry takes corrected arguments' }]
      : []),
    ...(output !== undefined && decision !== 'resolve'
      ? [{ pointer: '/output', detail: 'only a resolve says what the step answered' }]
      : []),
  ];
}

function checkValue(
  name: 'input' | 'output',
  value: unknown,
  schema: z.ZodType | undefined,
): Checked<DecisionValues> {
  const pointer = `/${name}`;
  if (!schema) {
    const detail = 'this release does not know the step; ask an API of the release that runs it';
    return { ok: false, errors: [{ pointer, detail }] };
  }
  const checked = check(schema, value, pointer);
  if (!checked.ok && value === undefined) {
    const detail = `${checked.errors[0]?.detail ?? 'missing'}: what the step answered`;
    return { ok: false, errors: [{ pointer, detail }] };
  }
  if (!checked.ok) return checked;
  const tooLarge = payloadProblem(`the ${name}`, checked.value);
  if (tooLarge) return { ok: false, errors: [{ pointer, detail: tooLarge }] };
  return { ok: true, value: checked.value === undefined ? {} : { [name]: checked.value } };
}
