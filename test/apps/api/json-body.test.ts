import { describe, expect, test } from 'vitest';
import { readJsonBody } from '../../../apps/api/http/json-body.js';
import { Problem } from '../../../apps/api/problems/problem.js';

const read = (text: string) => readJsonBody(Buffer.from(text));

describe('readJsonBody', () => {
  test('gives the value, and nothing to complain of', () => {
    expect(read('{"a":[1,"ü",null,true,0.5,-0]}')).toEqual({
      value: { a: [1, 'ü', null, true, 0.5, -0] },
      errors: [],
    });
  });

  test('tells no body from an empty one', () => {
    for (const text of ['', '  \n']) expect(read(text)).toEqual({ value: undefined, errors: [] });
    expect(read('null')).toEqual({ value: null, errors: [] });
  });

  test('quotes nothing of a body that it cannot parse', () => {
    expect(() => read('{"secret')).toThrow(Problem);
    try {
      read('{"a": secret}');
    } catch (error) {
      expect((error as Problem).detail).not.toContain('secret');
    }
  });

  test('takes dangerous names out, and names them', () => {
    const { value, errors } = read('{"a":{"__proto__":{"x":1},"b":1}}');
    expect(value).toEqual({ a: { b: 1 } });
    expect(errors.map((error) => error.pointer)).toEqual(['/a/__proto__']);
    expect(Object.getPrototypeOf((value as { a: object }).a)).toBe(Object.prototype);
  });

  test('counts levels from 1, whatever they are made of', () => {
    expect(() => read('['.repeat(64) + ']'.repeat(64))).not.toThrow();
    expect(() => read('['.repeat(65) + ']'.repeat(65))).toThrow(/deeper than 64/);
    expect(() => read('{"a":'.repeat(65) + '1' + '}'.repeat(65))).toThrow(/deeper than 64/);
  });

  test('is done with a million brackets quickly', () => {
    const began = performance.now();
    expect(() => read('['.repeat(500_000) + ']'.repeat(500_000))).toThrow(/deeper than 64/);
    expect(performance.now() - began).toBeLessThan(2_000);
  });

  test('names numbers that lose digits, at the edge exactly', () => {
    expect(read('[9007199254740991,-9007199254740991,1e-400]').errors).toEqual([]);
    const pointers = read('[9007199254740992,-9007199254740993,1e400,1e300]').errors.map(
      (error) => error.pointer,
    );
    expect(pointers.sort()).toEqual(['/0', '/1', '/2', '/3']);
  });
});
