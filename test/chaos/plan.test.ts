/** The plan of a chaos run: the same seed, the same run. */
import { expect, test } from 'vitest';
import { chaosKinds } from '../../scripts/chaos/kinds/index.js';
import { planOf, type Plan, type PlanOptions } from '../../scripts/chaos/plan.js';
import { TENANTS } from '../../scripts/chaos/tenants.js';

const SERVERS = ['postgres', 'temporal'];
const WORKERS = ['worker workflows', 'worker reports-io', 'worker reports-cpu 1', 'worker reports-cpu 2'];

function plan(options: Partial<PlanOptions> = {}): Plan {
  return planOf({
    seed: 1,
    jobs: 500,
    everyMs: 450,
    faultEveryMs: 4_000,
    workers: WORKERS,
    tenants: TENANTS,
    kinds: chaosKinds(1),
    ...options,
  });
}

test('the same seed makes the same plan, another seed another', () => {
  expect(plan()).toEqual(plan());
  expect(plan({ seed: 2 }).faults).not.toEqual(plan().faults);
  expect(plan({ seed: 2 }).jobs).not.toEqual(plan().jobs);
});

test('the faults do not depend on which jobs are asked for', () => {
  const [kind] = chaosKinds(1);
  const others = [{ kind: 'other', weight: 3, input: () => ({}) }, ...(kind ? [kind] : [])];
  const changed = plan({ kinds: others });
  expect(changed.jobs).not.toEqual(plan().jobs);
  expect(changed.faults).toEqual(plan().faults);
});

test('500 jobs see dozens of kills, every process and every way to be away', () => {
  const { faults, jobs } = plan();
  expect(faults.filter(({ act }) => act === 'kill').length).toBeGreaterThan(24);
  for (const worker of WORKERS) expect(faults.some(({ target }) => target === worker)).toBe(true);
  for (const server of SERVERS)
    for (const act of ['down', 'crash', 'freeze'])
      expect(
        faults.some((fault) => fault.target === server && fault.act === act),
        `${act} ${server}`,
      ).toBe(true);
  expect(faults.some(({ target }) => target === 'relay')).toBe(true);
  expect(faults.some(({ target }) => target === 'api')).toBe(true);
  expect(jobs.some((job) => job.again?.under === 'same key')).toBe(true);
  expect(jobs.some((job) => job.again?.under === 'new key')).toBe(true);
  expect(jobs.some(({ cancelAfterMs }) => cancelAfterMs !== undefined)).toBe(true);
});

test.each(Array.from({ length: 20 }, (_, seed) => seed))(
  'seed %i: times rise, no two jobs are equal, and no server is disturbed while it is away',
  (seed) => {
    const { faults, jobs } = plan({ seed });
    for (const list of [faults, jobs]) {
      const times = list.map(({ atMs }) => atMs);
      expect(times).toEqual(times.toSorted((one, other) => one - other));
    }
    expect(new Set(jobs.map(({ kind, tenant, input }) => JSON.stringify([kind, tenant, input]))).size).toBe(
      jobs.length,
    );
    for (const [index, { target, atMs, forMs }] of faults.entries()) {
      if (!SERVERS.includes(target)) continue;
      const next = faults.slice(index + 1).find((fault) => fault.target === target);
      expect(next?.atMs ?? Infinity).toBeGreaterThan(atMs + forMs);
    }
  },
);

test('without faults nothing is disturbed, and the jobs are the same', () => {
  const quiet = plan({ faultEveryMs: undefined });
  expect(quiet.faults).toEqual([]);
  expect(quiet.jobs).toEqual(plan().jobs);
});
