import { expect, it } from 'vitest';
import { claimSha256, proveDemo, renderClaims, type DemoFacts } from '../../../apps/cli/demo-proof.view.js';

const hash = 'a'.repeat(64);
const facts: DemoFacts = {
  status: 'SUCCEEDED',
  file: 'flights.csv',
  rows: { asked: 3_000_000, announced: 3_000_000, counted: 3_000_000 },
  bytes: { announced: 142_000_000, onDisk: 142_000_000 },
  sha256: { announced: hash, computed: hash },
  acceptedMs: 12,
  exportMs: 4_000,
  downloadMs: 900,
  totalMs: 5_000,
  states: 31,
};

it('holds when everything that was announced arrived', () => {
  const { holds, claims } = proveDemo(facts);
  expect(holds).toBe(true);
  expect(renderClaims(claims, (_, text) => text).join('\n')).toMatch(/750,000 rows\/s/);
});

it.each<[string, Partial<DemoFacts>]>([
  ['the job did not succeed', { status: 'CANCELLED' }],
  ['a row is missing in the file', { rows: { ...facts.rows, counted: 2_999_999 } }],
  ['another number of rows was announced', { rows: { ...facts.rows, announced: 2_999_999 } }],
  ['no number of rows was announced', { rows: { ...facts.rows, announced: undefined } }],
  [
    'announced and counted agree on the wrong number',
    { rows: { asked: 3_000_000, announced: 5, counted: 5 } },
  ],
  ['a byte is missing', { bytes: { announced: 142_000_000, onDisk: 141_999_999 } }],
  ['the checksum differs', { sha256: { announced: hash, computed: 'b'.repeat(64) } }],
  ['no checksum was sent', { sha256: { announced: '', computed: '' } }],
])('does not hold when %s', (_, wrong) => {
  const { holds, claims } = proveDemo({ ...facts, ...wrong });
  expect(holds).toBe(false);
  expect(renderClaims(claims, (_style, text) => text).some((line) => line.includes('✗'))).toBe(true);
});

it('tells both checksums when they differ', () => {
  expect(claimSha256(hash, hash, 'announced')).toMatchObject({ value: `${hash}, as announced`, holds: true });
  const other = 'b'.repeat(64);
  expect(claimSha256(other, hash, 'announced')).toMatchObject({
    value: `${other}, not as announced: ${hash}`,
    holds: false,
  });
  expect(claimSha256(undefined, hash, 'announced').holds).toBe(false);
});
