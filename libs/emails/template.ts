/**
 * Templates in Mustache's language, of which they may use `{{variable}}`, `{{#variable}}…{{/variable}}` where it has a value,
 * `{{^variable}}…{{/variable}}` where it has none, and comments. HTML is always escaped; there is no way around it.
 */
import Mustache from 'mustache';
import { propertyOf, type Value, type VariablesSchema } from './variables.js';

/** What is written once; `html` may be missing. */
export interface TemplateText {
  readonly subject: string;
  readonly text: string;
  readonly html: string | null;
  readonly variables: VariablesSchema;
}

export interface TemplateProblem {
  /** `subject`, `text` or `html`. */
  readonly field: string;
  readonly detail: string;
}

export interface Rendered {
  readonly subject: string;
  readonly text: string;
  readonly html: string | null;
}

/** Renders with values that fit the template's variables. */
export type Render = (values: Readonly<Record<string, Value>>) => Rendered;

type Token = readonly [
  type: string,
  value: string,
  start: number,
  end: number,
  children?: readonly Token[] | string,
];

const KINDS: Readonly<Record<string, string>> = {
  '&': 'is not escaped: write {{name}} with two braces',
  '>': 'is a partial; a template has no others to take in',
  '=': 'changes the delimiters; they stay {{ and }}',
};
/** Where a value begins a link's address, it decides what a click does. */
const LINK = /\b(?:href|src|action)\s*=\s*(?:"\s*|'\s*)?\{\{\s*([A-Za-z0-9_]+)\s*\}\}/gi;
const LINE_ENDS = /[\p{Cc}\u2028\u2029\s]+/gu;

/** Everything in a template that does not work, or would not be safe. */
export function problemsOfTemplate({ variables, subject, text, html }: TemplateText): TemplateProblem[] {
  const problems: TemplateProblem[] = [];
  for (const [field, written] of Object.entries({ subject, text, html })) {
    if (written === null) continue;
    const tell = (detail: string): void => void problems.push({ field, detail });
    try {
      judge(parse(written), variables, tell);
    } catch (error) {
      tell(`It is no template: ${error instanceof Error ? error.message : String(error)}.`);
    }
  }
  for (const [, name = ''] of (html ?? '').matchAll(LINK)) {
    const property = propertyOf(variables, name);
    if (
      !property ||
      (property.type === 'string' && (property.format === 'uri' || property.format === 'artifact'))
    )
      continue;
    problems.push({ field: 'html', detail: `"${name}" is where a link goes: declare it with format "uri".` });
  }
  return problems;
}

/** Parsed once, for many recipients. Throws where {@link problemsOfTemplate} finds something. */
export function compileTemplate(template: TemplateText): Render {
  const [problem] = problemsOfTemplate(template);
  if (problem) throw new Error(`The template's ${problem.field}: ${problem.detail}`);
  const subject = compileText(template.subject, plain);
  const text = compileText(template.text, plain);
  const html = template.html === null ? undefined : compileText(template.html, Mustache.escape);
  return (values) => ({
    // One line whatever the values are: it becomes a header.
    subject: subject(values).replace(LINE_ENDS, ' ').trim(),
    text: text(values),
    html: html ? html(values) : null,
  });
}

/** A text with variables in it, each written as `escape` says. Throws where it is no template. */
export function compileText(
  text: string,
  escape: (value: string) => string,
): (values: Readonly<Record<string, Value>>) => string {
  const writer = new Mustache.Writer();
  const tokens = parse(text) as unknown as string[][];
  const config = { escape: (value: unknown) => escape(String(value)) };
  return (values) =>
    writer.renderTokens(tokens, new Mustache.Context(viewOf(values)), undefined, text, config);
}

/** The variables that a text names. */
export function variablesOf(text: string): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (tokens: readonly Token[]): void => {
    for (const [type, value, , , children] of tokens) {
      if (type === 'name' || type === '#' || type === '^') names.add(value);
      if (Array.isArray(children)) visit(children as readonly Token[]);
    }
  };
  visit(parse(text));
  return names;
}

function parse(text: string): readonly Token[] {
  // A writer of one's own: the library's keeps every template it ever saw.
  return new Mustache.Writer().parse(text) as unknown as readonly Token[];
}

function judge(tokens: readonly Token[], variables: VariablesSchema, tell: (detail: string) => void): void {
  for (const [type, value, , , children] of tokens) {
    const refusal = KINDS[type];
    if (refusal !== undefined) tell(`{{${type} ${value}}} ${refusal}.`);
    else if (type !== 'text' && type !== '!' && !propertyOf(variables, value))
      tell(`There is no variable "${value}".`);
    if (Array.isArray(children)) judge(children as readonly Token[], variables, tell);
  }
}

/** A section over a text would look its variables up in the text itself (`length`): it is over a wrapped one. */
function viewOf(values: Readonly<Record<string, Value>>): object {
  const view = Object.create(null) as Record<string, unknown>;
  for (const [name, value] of Object.entries(values)) {
    view[name] = typeof value === 'boolean' || value === '' ? value : wrapped(value);
  }
  return view;
}

function wrapped(value: Value): object {
  return Object.assign(Object.create(null) as object, { [Symbol.toPrimitive]: () => String(value) });
}

function plain(value: string): string {
  return value;
}
