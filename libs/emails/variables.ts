/** What a template's variables may be: a small part of JSON Schema, and values held against it. */
import { validate as isUuid } from 'uuid';
import { z } from 'zod';

export const VARIABLES_MAX = 50;
export const TEXT_LENGTH_MAX = 10_000;
const DESCRIPTION_LENGTH_MAX = 200;

export const VariableName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_]{0,49}$/, 'must be letters, digits and _, beginning with a letter');

const description = z.string().max(DESCRIPTION_LENGTH_MAX).optional();

export const VariableProperty = z.union([
  z.strictObject({
    type: z.literal('string'),
    format: z
      .enum(['date', 'date-time', 'uri', 'artifact'])
      .optional()
      .describe(
        '`uri`: http or https. `artifact`: the id of a job whose file the message links to, freshly signed.',
      ),
    maxLength: z.int().min(1).max(TEXT_LENGTH_MAX).optional(),
    description,
  }),
  z.strictObject({ type: z.enum(['number', 'integer', 'boolean']), description }),
]);
export type VariableProperty = z.output<typeof VariableProperty>;

export const VariablesSchema = z
  .strictObject({
    properties: z
      .record(VariableName, VariableProperty)
      .refine((all) => Object.keys(all).length <= VARIABLES_MAX, `has more than ${VARIABLES_MAX} variables`),
    required: z.array(VariableName).max(VARIABLES_MAX).default([]),
  })
  .superRefine(({ properties, required }, { addIssue }) => {
    for (const [index, name] of required.entries()) {
      if (Object.hasOwn(properties, name)) continue;
      addIssue({ code: 'custom', path: ['required', index], message: `names no variable of properties` });
    }
  });
export type VariablesSchema = z.output<typeof VariablesSchema>;

export type Value = string | number | boolean;
export type Values = Readonly<Record<string, Value>>;

export interface VariableProblem {
  readonly name: string;
  readonly detail: string;
}

/** All that is wrong with values, unknown ones included. `elsewhere` are names that somebody else gives a value. */
export function problemsOfValues(
  schema: VariablesSchema,
  values: Values,
  elsewhere: ReadonlySet<string> = new Set(),
): VariableProblem[] {
  const problems: VariableProblem[] = [];
  for (const [name, value] of Object.entries(values)) {
    const property = propertyOf(schema, name);
    if (!property) problems.push({ name, detail: `The template has no variable "${name}".` });
    else if (!fits(property, value)) problems.push({ name, detail: `Expected ${expectationOf(property)}.` });
  }
  for (const name of schema.required) {
    if (Object.hasOwn(values, name) || elsewhere.has(name)) continue;
    const property = propertyOf(schema, name);
    problems.push({
      name,
      detail: `Expected ${property ? expectationOf(property) : 'a value'}; it is missing.`,
    });
  }
  return problems;
}

/**
 * A recipient's own values for a template: of columns that it declares. Text, as CSV has it, becomes what is declared, and
 * an empty cell is no value.
 */
export function valuesOfRow(schema: VariablesSchema, row: Values): Record<string, Value> {
  const values: Record<string, Value> = {};
  for (const [name, value] of Object.entries(row)) {
    const property = propertyOf(schema, name);
    if (property && value !== '') values[name] = typeof value === 'string' ? coerced(property, value) : value;
  }
  return values;
}

function coerced({ type }: VariableProperty, text: string): Value {
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  if ((type === 'number' || type === 'integer') && /^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  return text;
}

export function propertyOf(schema: VariablesSchema, name: string): VariableProperty | undefined {
  return Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
}

export function isArtifact(property: VariableProperty | undefined): boolean {
  return property?.type === 'string' && property.format === 'artifact';
}

function fits(property: VariableProperty, value: Value): boolean {
  if (property.type !== 'string') {
    if (property.type === 'boolean') return typeof value === 'boolean';
    return (
      typeof value === 'number' &&
      Number.isFinite(value) &&
      (property.type === 'number' || Number.isInteger(value))
    );
  }
  if (typeof value !== 'string' || value.length > (property.maxLength ?? TEXT_LENGTH_MAX)) return false;
  switch (property.format) {
    case 'date':
      return z.iso.date().safeParse(value).success;
    case 'date-time':
      return z.iso.datetime({ offset: true }).safeParse(value).success;
    case 'uri':
      return isWebAddress(value);
    case 'artifact':
      return isUuid(value);
    case undefined:
      return true;
  }
}

/** Such as may stand in a link: nothing that runs when it is clicked at. */
function isWebAddress(text: string): boolean {
  return /^https?:\/\/[^\s<>"]+$/i.test(text) && URL.canParse(text);
}

function expectationOf(property: VariableProperty): string {
  if (property.type !== 'string')
    return { number: 'a number', integer: 'a whole number', boolean: 'true or false' }[property.type];
  const most = property.maxLength === undefined ? '' : ` of at most ${property.maxLength} characters`;
  if (property.format === undefined) return `text${most}`;
  const names = {
    date: 'a date (2026-11-24)',
    'date-time': 'a time (2026-11-24T08:00:00Z)',
    uri: 'an http or https URL',
    artifact: 'the id of a job with a file',
  };
  return names[property.format] + most;
}
