import { expect, test } from 'vitest';
import { fillTemplate, parseTemplate } from '../../../libs/datasets/template.sql.js';

const fill = (query: string) => fillTemplate(parseTemplate(query), (name) => `<${name}>`).trim();

test('fills in placeholders', () => {
  expect(fill('select * from t where a = :tenant and b>:since')).toBe(
    'select * from t where a = <tenant> and b><since>',
  );
});

test.each([
  `select ':tenant', 'it''s :tenant'`,
  String.raw`select e'\':tenant'`,
  'select "a:tenant"',
  'select $$ :tenant; $$, $x$ :tenant $$ ; $x$',
  'select 1 -- :tenant ; \n + 1',
  'select /* :tenant ; */ 1',
  'select a::text',
])('leaves alone what is no placeholder: %s', (query) => {
  expect(fill(query)).toBe(query);
});

test('forgives one semicolon at the end, and ends a last line comment', () => {
  expect(fill('select 1;')).toBe('select 1');
  expect(fillTemplate(parseTemplate('select 1 -- all'), String)).toBe('select 1 -- all\n');
});
