import { expect, it } from 'vitest';
import { compileTemplate, problemsOfTemplate, type TemplateText } from '../../../libs/emails/template.js';
import { problemsOfValues, valuesOfRow, VariablesSchema } from '../../../libs/emails/variables.js';

const variables = VariablesSchema.parse({
  properties: {
    name: { type: 'string', maxLength: 40 },
    amount: { type: 'number' },
    paid: { type: 'boolean' },
    when: { type: 'string', format: 'date' },
    link: { type: 'string', format: 'uri' },
    file: { type: 'string', format: 'artifact' },
    toString: { type: 'string' },
  },
  required: ['name'],
});
const template = (change: Partial<TemplateText>): TemplateText => ({
  subject: 'x',
  text: 'x',
  html: null,
  variables,
  ...change,
});

it('escapes HTML, and nothing in the text', () => {
  const render = compileTemplate(
    template({ subject: 'For {{name}}', text: 'Dear {{name}}', html: '<p title="{{name}}">{{name}}</p>' }),
  );
  const { subject, text, html } = render({ name: `<b onclick='x'>"&` });
  expect(subject).toBe(`For <b onclick='x'>"&`);
  expect(text).toBe(`Dear <b onclick='x'>"&`);
  expect(html).not.toMatch(/<b|onclick='|title="<|""/);
  expect(html).toContain('&lt;b onclick');
});

it('makes one line of a subject, whatever its values are', () => {
  const { subject } = compileTemplate(template({ subject: 'Hi {{name}}' }))({
    name: 'Ada\r\nBcc: eve@example.com\u2028x',
  });
  expect(subject).toBe('Hi Ada Bcc: eve@example.com x');
});

it('shows sections where a variable has a value, and only there', () => {
  const render = compileTemplate(
    template({
      text: '{{#name}}Dear {{name}} {{toString}}{{/name}}{{^name}}Dear all{{/name}}{{#paid}}, paid{{/paid}}{{#amount}}: {{amount}}{{/amount}}',
    }),
  );
  expect(render({ name: 'Ada', paid: true, amount: 0, toString: 'T' }).text).toBe('Dear Ada T, paid: 0');
  expect(render({ name: '', paid: false }).text).toBe('Dear all');
});

it.each([
  ['text', '{{unknown}}', 'There is no variable "unknown"'],
  ['text', '{{name.length}}', 'There is no variable'],
  ['text', '{{constructor}}', 'There is no variable'],
  ['html', '{{{name}}}', 'is not escaped'],
  ['html', '{{& name}}', 'is not escaped'],
  ['text', '{{> other}}', 'is a partial'],
  ['text', '{{=<% %>=}}', 'changes the delimiters'],
  ['subject', '{{#name}}', 'Unclosed section'],
  ['html', '<a href="{{name}}">', 'where a link goes'],
  ['html', "<a href = '{{ name }}'>", 'where a link goes'],
])('refuses in %s: %s', (field, text, detail) => {
  expect(problemsOfTemplate(template({ [field]: text }))).toContainEqual({
    field,
    detail: expect.stringContaining(detail) as string,
  });
});

it('lets a URL or a file begin a link', () => {
  expect(problemsOfTemplate(template({ html: '<a href="{{link}}">a</a><a href="{{file}}">b</a>' }))).toEqual(
    [],
  );
});

it('tells of every value that is missing, unknown or of another type', () => {
  const values = {
    amount: 'much',
    paid: 1,
    when: '2026-13-01',
    link: 'javascript:alert(1)',
    file: 'x',
    other: 'y',
  };
  expect(problemsOfValues(variables, values).map(({ name }) => name)).toEqual([
    'amount',
    'paid',
    'when',
    'link',
    'file',
    'other',
    'name',
  ]);
  expect(problemsOfValues(variables, { name: 'a'.repeat(41) })[0]?.detail).toBe(
    'Expected text of at most 40 characters.',
  );
  expect(problemsOfValues(variables, {}, new Set(['name']))).toEqual([]);
});

it('reads the text of cells as what is declared, and empty ones as nothing', () => {
  const row = { name: 'Ada', amount: '12.5', paid: 'true', when: '', other: 'x' };
  expect(valuesOfRow(variables, row)).toEqual({ name: 'Ada', amount: 12.5, paid: true });
  expect(problemsOfValues(variables, valuesOfRow(variables, { name: 'Ada', amount: 'much' }))).toHaveLength(
    1,
  );
});

it.each([
  ['a tag that is not closed soon', { text: `{{!a${' '.repeat(200_000)}b}}` }, /not closed within/],
  ['sections in sections without end', { text: '{{#name}}'.repeat(60) + '{{/name}}'.repeat(60) }, /50 deep/],
  [
    'a section where a link goes',
    { html: '<a href="{{#name}}{{name}}{{/name}}">x</a>' },
    /section or a comment/,
  ],
  ['a comment before a link', { html: '<a href="{{! c}}{{name}}">x</a>' }, /section or a comment/],
  ['a variable in a program', { html: '<p onclick="f({{name}})">x</p>' }, /is a program/],
  ['a script', { html: '<script>{{name}}</script>' }, /no e-mail has scripts/],
])('refuses %s', (_, change, why) => {
  const details = problemsOfTemplate(template(change)).map(({ detail }) => detail);
  expect(details).toContainEqual(expect.stringMatching(why));
});

it('refuses values that make a text of more than a megabyte, before it is written', () => {
  const render = compileTemplate(template({ text: '{{name}}'.repeat(2_000), html: null }));
  expect(() => render({ name: 'x'.repeat(1_000) })).toThrow(/more than|longer than/);
});
