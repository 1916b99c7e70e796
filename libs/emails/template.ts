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

/** Renders with values that fit the template's variables. Throws RenderedTooLong. */
export type Render = (values: Readonly<Record<string, Value>>) => Rendered;

/** With these values a message would be too long; the template is fine. */
export class RenderedTooLong extends Error {
  constructor() {
    super(`With these values a text is longer than the ${VALUES_LENGTH_MAX} characters that values may add.`);
    this.name = 'RenderedTooLong';
  }
}

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
const LINK =
  /\b(?:href|src|action|formaction|data|background|poster|cite|ping|srcset)\s*=\s*(?:"\s*|'\s*)?\{\{\s*([A-Za-z0-9_]+)\s*\}\}/gi;
/** From its name to its end, of an element of HTML that has tags of the template in it. */
const ELEMENT = /<[A-Za-z][^<>]*/g;
const NOT_A_VARIABLE = /\{\{\s*[^A-Za-z0-9_\s]/;
/** Whose text is a program, or a page of its own: escaping for HTML says nothing there. */
const PROGRAM = /\s(?:on[a-z]+|srcdoc|style)\s*=\s*(?:"[^"]*\{\{|'[^']*\{\{|\{\{)/i;
/** Of a tag, its braces included, in characters: the library's time for one grows with the square of it. */
const TAG_LENGTH_MAX = 500;
/** Of sections in sections: they are read by functions that call themselves. */
const DEPTH_MAX = 50;
/** Of what values add to a text, in characters, escaped. */
const VALUES_LENGTH_MAX = 1_048_576;
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
  for (const [element] of (html ?? '').matchAll(ELEMENT)) {
    const detail = problemOfElement(element);
    if (detail !== undefined) problems.push({ field: 'html', detail });
  }
  return problems;
}

function problemOfElement(element: string): string | undefined {
  const start = `"${element.slice(0, 40)}"`;
  if (/^<script\b/i.test(element)) return `${start}: no e-mail has scripts.`;
  if (!element.includes('{{')) return undefined;
  if (NOT_A_VARIABLE.test(element))
    return `${start} has a section or a comment in it: put it around the element.`;
  return PROGRAM.test(element)
    ? `${start} has a variable in an attribute that is a program, or a page of its own.`
    : undefined;
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

/** A text with variables in it, each written as `escape` says. Throws where it is no template, and RenderedTooLong. */
export function compileText(
  text: string,
  escape: (value: string) => string,
): (values: Readonly<Record<string, Value>>) => string {
  const writer = new Mustache.Writer();
  const tokens = parse(text) as unknown as string[][];
  return (values) => {
    let length = 0;
    const write = (value: unknown): string => {
      const written = escape(String(value));
      length += written.length;
      if (length > VALUES_LENGTH_MAX) throw new RenderedTooLong();
      return written;
    };
    return writer.renderTokens(tokens, new Mustache.Context(viewOf(values)), undefined, text, {
      escape: write,
    });
  };
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
  boundTags(text);
  // A writer of one's own: the library's keeps every template it ever saw.
  return new Mustache.Writer().parse(text) as readonly Token[];
}

/** Throws on what would take the parser too long, or too deep. */
function boundTags(text: string): void {
  let depth = 0;
  for (let at = text.indexOf('{{'); at >= 0;) {
    const end = text.indexOf('}}', at) + 2;
    if (end < 2 || end - at > TAG_LENGTH_MAX)
      throw new Error(`"${text.slice(at, at + 20)}…" is not closed within ${TAG_LENGTH_MAX} characters`);
    const kind = text.slice(at + 2, end).trimStart()[0];
    if (kind === '#' || kind === '^') depth += 1;
    if (kind === '/') depth -= 1;
    if (depth > DEPTH_MAX) throw new Error(`sections are more than ${DEPTH_MAX} deep`);
    at = text.indexOf('{{', end);
  }
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
