/** What a workflow sees of modules that are shared by all workflows of a worker, and of its own. */
import { z } from 'zod';
import { bindWorkflow } from '../../../libs/saga/temporal/workflow.js';

export interface Seen {
  readonly engineIsFrozen: boolean;
  readonly runsInThisModule: number;
  /** Names of the schemas that took what they should, and refused what they should, twice. */
  readonly sound: readonly string[];
}

let runs = 0;

const SCHEMAS: Readonly<Record<string, readonly [z.ZodType, good: unknown, bad: unknown]>> = {
  email: [z.email(), 'a@b.example', 'a'],
  uuid: [z.uuid(), '0198a1b2-0000-7000-8000-000000000001', '1'],
  url: [z.url(), 'https://a.example', 'a'],
  datetime: [z.iso.datetime(), '2026-01-01T00:00:00Z', 'today'],
  pattern: [z.string().regex(/^a+$/g), 'aa', 'b'],
  hex: [z.hex(), 'ff', 'g'],
  object: [z.strictObject({ n: z.int().optional(), list: z.array(z.string()) }), { list: ['a'] }, { x: 1 }],
  union: [
    z.discriminatedUnion('is', [
      z.object({ is: z.literal('a') }),
      z.object({ is: z.literal('b'), n: z.number() }),
    ]),
    { is: 'b', n: 1 },
    { is: 'b' },
  ],
  record: [z.record(z.string(), z.enum(['x', 'y'])), { a: 'x' }, { a: 'z' }],
  number: [z.coerce.number(), '1', 'a'],
};

export async function look(): Promise<Seen> {
  return {
    engineIsFrozen: Object.isFrozen(bindWorkflow),
    runsInThisModule: ++runs,
    sound: Object.keys(SCHEMAS).filter((name) => isSound(SCHEMAS[name]!)),
  };
}

export const SCHEMA_NAMES = Object.keys(SCHEMAS);

function isSound([schema, good, bad]: (typeof SCHEMAS)[string]): boolean {
  try {
    return [1, 2].every(() => schema.safeParse(good).success && !schema.safeParse(bad).success);
  } catch (error) {
    // What was frozen and is written to.
    if (error instanceof TypeError) return false;
    throw error;
  }
}
