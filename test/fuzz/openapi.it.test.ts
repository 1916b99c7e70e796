/**
 * The API held against its own OpenAPI document by a fuzzer: no 5xx, no status, header or body that the document does
 * not name, nothing valid refused, nothing invalid accepted. `LONGHAUL_FUZZ_EXAMPLES=300` for a long run.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { operations, type OperationId } from '../../apps/api/openapi/operations.js';
import { fuzzApi, installSchemathesis } from '../support/schemathesis.js';
import { startTestApi, type TestApi } from '../apps/api/support.js';

const EXAMPLES = Number(process.env['LONGHAUL_FUZZ_EXAMPLES'] ?? 5);
const TIMEOUT_MS = 30_000 * (5 + EXAMPLES);
const SEED = 20_260_101;
const ALL = Object.keys(operations) as OperationId[];
/** For operators alone. */
const OPERATORS = ALL.filter((id) => operations[id].problems.includes('role_too_low'));

const folder = await installSchemathesis().catch((error: unknown) => {
  if (process.env['CI']) throw error;
  return undefined;
});

describe.skipIf(folder === undefined)(
  `the OpenAPI document${folder ? '' : ': pip has no schemathesis'}`,
  () => {
    let api: TestApi;
    beforeAll(async () => {
      api = await startTestApi();
    });
    afterAll(() => api.close());

    // What is open to both knows no difference between them: the client is sent all of it.
    it.each([
      ['client', OPERATORS],
      ['operator', ALL.filter((id) => !OPERATORS.includes(id))],
    ] as const)(
      'holds whatever a %s sends',
      async (role, once) => {
        const { exitCode, output, cases } = await fuzzApi({
          folder: folder ?? '',
          url: api.url,
          key: role === 'client' ? api.acme.key : api.operatorKey,
          examples: EXAMPLES,
          once,
          seed: SEED,
          timeoutMs: TIMEOUT_MS,
        });
        expect(exitCode, output).toBe(0);
        expect(cases).toBeGreaterThan(100);
        process.stdout.write(`fuzzed as ${role}: ${cases} requests\n`);
      },
      TIMEOUT_MS,
    );
  },
);
