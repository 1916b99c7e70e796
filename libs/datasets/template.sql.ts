/** The operator's query and its placeholders: `:tenant`, `:tenant_name` and the dataset's own parameters. */

/** Query text with its placeholders found once, at boot: literal, name, literal, name, …, literal. */
export interface QueryTemplate {
  readonly literals: readonly string[];
  readonly names: readonly string[];
}

/**
 * Everything in which a colon or a semicolon means nothing: strings (E'' ones too), identifiers, dollar quotes,
 * comments, casts; then what is looked for.
 */
const TOKEN = new RegExp(
  [
    String.raw`[eE]'(?:[^'\\]|\\[\s\S]|'')*'`,
    String.raw`'(?:[^']|'')*'`,
    String.raw`"(?:[^"]|"")*"`,
    String.raw`\$(?<tag>[A-Za-z_]\w*)?\$[\s\S]*?\$\k<tag>\$`,
    String.raw`--[^\n]*`,
    String.raw`/\*[\s\S]*?\*/`,
    String.raw`::`,
    String.raw`:(?<name>[a-z_][a-z0-9_]*)`,
    String.raw`(?<end>;)`,
  ].join('|'),
  'g',
);

/** Finds the placeholders of a query. Throws when the text is not one SELECT. */
export function parseTemplate(query: string): QueryTemplate {
  const text = query.trim().replace(/;$/, '');
  if (!/^(select|with|values|table)\b/i.test(text)) {
    throw new Error('must be one SELECT (or WITH … SELECT) without anything before it');
  }
  const literals: string[] = [];
  const names: string[] = [];
  let from = 0;
  for (const match of text.matchAll(TOKEN)) {
    if (match.groups?.['end']) throw new Error('must be one statement: it has a semicolon inside');
    const name = match.groups?.['name'];
    if (name === undefined) continue;
    literals.push(text.slice(from, match.index));
    names.push(name);
    from = match.index + match[0].length;
  }
  literals.push(text.slice(from));
  // A line comment at the end would swallow the bracket that closes the subquery.
  literals[literals.length - 1] += '\n';
  return { literals, names };
}

/** The query with every placeholder replaced by what `write` makes of it. */
export function fillTemplate(template: QueryTemplate, write: (name: string) => string): string {
  return template.literals
    .map((literal, index) => {
      const name = template.names[index];
      return name === undefined ? literal : `${literal}${write(name)}`;
    })
    .join('');
}
