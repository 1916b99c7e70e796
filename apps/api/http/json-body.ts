/**
 * Reads a JSON body that nobody vouches for. Beyond JSON itself it must be I-JSON (RFC 7493) that PostgreSQL and
 * JavaScript can both hold without loss; what is not is named field by field, so that it can be answered together
 * with what the schema finds.
 */
import { Problem, type FieldError } from '../problems/problem.js';
import { FIELD_ERRORS_MAX, JSON_DEPTH_MAX } from './limits.js';

/** A parsed body and what is wrong with single values of it. */
export interface JsonBody {
  readonly value: unknown;
  readonly errors: readonly FieldError[];
}

/** Keys that reach a prototype when somebody assigns them carelessly. They are taken out, and named. */
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Parses and inspects. Throws Problem `invalid_json` or `json_too_deep`. An empty body is `{ value: undefined }`. */
export function readJsonBody(bytes: Uint8Array): JsonBody {
  if (bytes.length === 0) return { value: undefined, errors: [] };
  let text: string;
  let value: unknown;
  try {
    text = decoder.decode(bytes);
  } catch (error) {
    throw new Problem('invalid_json', 'The body is not valid UTF-8.', { cause: error });
  }
  if (text.trim() === '') return { value: undefined, errors: [] };
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Problem('invalid_json', `The body cannot be parsed: ${reasonOf(error)}`, { cause: error });
  }
  return { value, errors: isSound(value, 1) ? [] : inspect(value) };
}

/** The parser's position, without the quotation of the body that V8 adds. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  const position = /at position (\d+)/.exec(message)?.[1];
  return position === undefined
    ? 'it ends too early or is no JSON at all.'
    : `unexpected text at byte ${position}.`;
}

interface Node {
  readonly value: object;
  readonly pointer: string;
  readonly depth: number;
}

/** Whether nothing is wrong at all, as with almost every body: found out without naming a single place. */
function isSound(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
      return flawsOfText(value).length === 0;
    case 'number':
      return flawOfNumber(value) === undefined;
    case 'object':
      if (value === null) return true;
      if (depth > JSON_DEPTH_MAX) return false;
      if (Array.isArray(value)) return value.every((item) => isSound(item, depth + 1));
      return Object.keys(value).every(
        (name) =>
          !FORBIDDEN_KEYS.has(name) &&
          flawsOfText(name).length === 0 &&
          isSound((value as Record<string, unknown>)[name], depth + 1),
      );
    default:
      return true;
  }
}

/** Walks without recursion: depth is the attacker's to choose. */
function inspect(root: unknown): FieldError[] {
  const errors: FieldError[] = [];
  const report = (pointer: string, detail: string): void => {
    if (errors.length < FIELD_ERRORS_MAX) errors.push({ pointer, detail });
  };
  const stack: Node[] = [];
  const visit = (value: unknown, pointer: string, depth: number): void => {
    if (typeof value === 'object' && value !== null) {
      if (depth > JSON_DEPTH_MAX) {
        throw new Problem('json_too_deep', `The body is nested deeper than ${JSON_DEPTH_MAX} levels.`);
      }
      stack.push({ value, pointer, depth });
    } else if (typeof value === 'string') {
      for (const flaw of flawsOfText(value)) report(pointer, `the text ${flaw}`);
    } else if (typeof value === 'number') {
      const flaw = flawOfNumber(value);
      if (flaw) report(pointer, flaw);
    }
  };
  visit(root, '', 1);
  for (let node = stack.pop(); node; node = stack.pop()) {
    for (const [key, value] of Object.entries(node.value)) {
      const pointer = `${node.pointer}/${escapePointer(key)}`;
      if (!Array.isArray(node.value)) {
        if (FORBIDDEN_KEYS.has(key)) {
          report(pointer, `"${key}" is not allowed as a name anywhere`);
          Reflect.deleteProperty(node.value, key);
          continue;
        }
        for (const flaw of flawsOfText(key)) report(pointer.toWellFormed(), `the name ${flaw}`);
      }
      visit(value, pointer, node.depth + 1);
    }
  }
  return errors;
}

const NO_FLAWS: readonly string[] = [];

function flawsOfText(text: string): readonly string[] {
  if (!text.includes('\0') && text.isWellFormed()) return NO_FLAWS;
  const flaws: string[] = [];
  if (text.includes('\0')) flaws.push('has a NUL character (U+0000)');
  if (!text.isWellFormed()) flaws.push('has half of a surrogate pair');
  return flaws;
}

function flawOfNumber(value: number): string | undefined {
  if (!Number.isFinite(value)) return 'the number is out of range';
  if (Math.abs(value) > Number.MAX_SAFE_INTEGER) {
    return 'the number is beyond ±9007199254740991 and would lose digits; send it as text';
  }
  return undefined;
}

/** RFC 6901. */
export function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
