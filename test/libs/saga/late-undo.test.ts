/** An undo whose worker was taken for lost and goes on after all: the ledger knows that another acts in its place. */
import { expect, it } from 'vitest';
import type { Claim, UndoClaim } from '../../../libs/saga/ledger.js';
import { createMemoryLedger } from '../../../libs/saga/memory/ledger.js';

const SECOND_MS = 1_000;
const LEASE_MS = 10 * SECOND_MS;
const ref = {
  job: { id: 'job', tenantId: 'tenant', kind: 'test.late' },
  step: 'sign',
  generation: 0,
  seq: 1,
};
const claim: Claim = {
  ...ref,
  stepKind: 'compensable',
  effect: 'blind',
  undo: 'unsign',
  args: 'args',
  attempt: 1,
  leaseMs: LEASE_MS,
};
const undo = (attempt: number): UndoClaim => ({
  ...ref,
  effect: 'blind',
  undo: 'unsign',
  attempt,
  leaseMs: LEASE_MS,
  awaitsLease: true,
  compensating: true,
  insists: false,
});

async function done() {
  const time = { now: 0 };
  const ledger = createMemoryLedger({ now: () => time.now });
  await ledger.claim(claim);
  await ledger.complete(claim, 'signed');
  const row = [...ledger.rows.values()][0]!;
  return { ledger, row, time };
}

it('may not act beside the later attempt', async () => {
  const { ledger, row } = await done();
  expect(await ledger.beginUndo(undo(2))).toEqual({ kind: 'go', args: 'args' });
  expect(await ledger.beginUndo(undo(1))).toEqual({ kind: 'wait', waitMs: LEASE_MS });
  expect(row.undoAttempt).toBe(2);
});

it('may not act once the later attempt has failed either', async () => {
  const { ledger } = await done();
  await ledger.beginUndo(undo(2));
  await ledger.failUndo(undo(2), { unknown: false, isLast: false });
  expect(await ledger.beginUndo(undo(1))).toMatchObject({ kind: 'wait' });
  expect(await ledger.beginUndo(undo(3))).toEqual({ kind: 'go', args: 'args' });
});

it('leaves the later attempt its lease when it reports, and its doubt behind', async () => {
  const { ledger, row, time } = await done();
  await ledger.beginUndo(undo(1));
  await ledger.failUndo(undo(1), { unknown: false, isLast: false });
  time.now = SECOND_MS;
  await ledger.beginUndo(undo(2));
  await ledger.failUndo(undo(1), { unknown: true, isLast: false });
  expect(row).toMatchObject({ undoAttempt: 2, leaseUntil: SECOND_MS + LEASE_MS, doubt: true });
});

it('is still reckoned with when the one in its place reports that its beginning was not heard', async () => {
  const { ledger, row } = await done();
  await ledger.beginUndo(undo(1));
  await ledger.failUndo(undo(2), { unknown: false, isLast: false });
  expect(row).toMatchObject({ doubt: true, quarantineUntil: LEASE_MS });
  expect(await ledger.beginUndo(undo(2))).toEqual({ kind: 'wait', waitMs: LEASE_MS });
});
