/** Checks one submission completely: envelope, kind, input, and what only the datasets can say. All errors at once. */
import { acceptanceChecks, type AcceptanceContext } from '../../../libs/datasets/acceptance.js';
import type { AnyJobDefinition } from '../../../libs/saga/define.js';
import { refusalOfUrl, type TargetPolicy } from '../../../libs/webhooks/target.js';
import { check, distinct } from '../http/validate.js';
import { Problem, type FieldError } from '../problems/problem.js';
import { RESERVED_FIELDS, Submission } from './job-requests.schema.js';
import { joinNaturalKey } from '../../../libs/store/natural-key.js';

/** A submission that may be accepted. */
export interface Prepared {
  readonly definition: AnyJobDefinition;
  /** As the kind's schema gave it back, defaults filled in. */
  readonly input: unknown;
  /** What the job keeps instead, where that says more: two inputs are the same by `input`. */
  readonly stored?: unknown;
  readonly key: string | null;
  readonly restart: boolean;
  /** RFC 3339, in UTC. */
  readonly delayUntil: string | undefined;
  readonly callback: { readonly url: string } | undefined;
}

export interface SubmissionContext extends AcceptanceContext {
  /** Where callbacks may go. */
  readonly targets: TargetPolicy;
  readonly definitions: ReadonlyMap<string, AnyJobDefinition>;
}

/** The prepared submission; throws Problem with every error. `found` is what the body's inspection found already. */
export function prepareSubmission(
  body: unknown,
  context: SubmissionContext,
  found: readonly FieldError[] = [],
): Prepared {
  const errors: FieldError[] = [...found];
  if (!isRecord(body)) {
    throw refusal([...errors, { pointer: '', detail: 'expected an object {kind, input, …}' }]);
  }
  const { offered, reserved } = splitReserved(body);
  const envelope = check(Submission, offered);
  if (!envelope.ok) errors.push(...envelope.errors);
  const kinds = [...context.definitions.values()].filter(({ internal }) => !internal);
  const definition = kinds.find(({ kind }) => kind === body['kind']);
  if (typeof body['kind'] === 'string' && !definition) {
    const known = kinds.map(({ kind }) => kind).join(', ');
    errors.push({ pointer: '/kind', detail: `there is no such kind; there are: ${known}` });
  }
  const input = definition && checkInput(definition, body['input'], context);
  if (input && !input.ok) errors.push(...input.errors);
  if (definition?.naturalKey && body['key'] !== undefined) {
    errors.push({ pointer: '/key', detail: `${definition.kind} makes its own natural key from the input` });
  }
  const callback = envelope.ok ? envelope.value.callback : undefined;
  const refused = callback && refusalOfUrl(callback.url, context.targets);
  if (refused !== undefined) errors.push({ pointer: '/callback/url', detail: refused });
  if (reserved.length > 0 || errors.length > 0) throw refusal(errors, reserved);
  if (!envelope.ok || !definition || !input?.ok) throw new Error('a submission without errors did not check');
  return {
    definition,
    input: input.value,
    key: definition.naturalKey
      ? joinNaturalKey(definition.naturalKey(input.value))
      : (envelope.value.key ?? null),
    restart: envelope.value.onDuplicate === 'restart',
    delayUntil: delayOf(envelope.value.delayUntil),
    callback: callback && { url: new URL(callback.url).href },
  };
}

/** A time that is over delays nothing. */
function delayOf(time: string | undefined): string | undefined {
  if (time === undefined || Date.parse(time) <= Date.now()) return undefined;
  return new Date(time).toISOString();
}

function checkInput(
  definition: AnyJobDefinition,
  value: unknown,
  context: SubmissionContext,
): ReturnType<typeof check> {
  if (value === undefined) return { ok: false, errors: [{ pointer: '/input', detail: 'it is missing' }] };
  const checked = check(definition.input, value, '/input');
  if (!checked.ok) return checked;
  const errors = acceptanceChecks[definition.kind]?.(checked.value, context) ?? [];
  return errors.length > 0 ? { ok: false, errors } : checked;
}

/** Fields of parts that are not there yet are answered as such, and not as unknown. */
function splitReserved(body: Record<string, unknown>): {
  offered: Record<string, unknown>;
  reserved: FieldError[];
} {
  const offered = { ...body };
  const reserved = RESERVED_FIELDS.filter((name) => Object.hasOwn(offered, name)).map((name) => {
    Reflect.deleteProperty(offered, name);
    return { pointer: `/${name}`, detail: 'not available in this version' };
  });
  return { offered, reserved };
}

function refusal(errors: readonly FieldError[], reserved: readonly FieldError[] = []): Problem {
  const all = distinct([...reserved, ...errors]);
  return reserved.length > 0
    ? new Problem(
        'not_available',
        `This version does not have: ${reserved.map((e) => e.pointer.slice(1)).join(', ')}.`,
        {
          errors: all,
        },
      )
    : new Problem('validation_failed', countOf(all.length), { errors: all });
}

function countOf(errors: number): string {
  return errors === 1 ? 'One value is not allowed.' : `${errors} values are not allowed.`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
