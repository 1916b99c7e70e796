import { describe, expect, it } from 'vitest';
import { attempt, joinKind } from '../../../libs/saga/attempt/attempt.js';
import { guarded } from '../../../libs/saga/attempt/context.js';
import type { World } from '../../../libs/saga/attempt/world.js';
import type { OwnTransaction } from '../../../libs/saga/implement.js';
import { Denied, Rejected, Transient, WORKER_STOPPED } from '../../../libs/saga/failure.js';
import { createVirtualClock } from '../../../libs/saga/memory.js';
import { createMemoryChildren } from '../../../libs/saga/memory/children.js';
import { createMemoryLedger } from '../../../libs/saga/memory/ledger.js';
import type { StepRequest } from '../../../libs/saga/protocol.js';
import { aborted, createWorld, implementOrder, implementSnapshot } from '../../conformance/fakes.js';
import { order, snapshot } from '../../conformance/kinds.js';

function setup(overrides: Partial<World> = {}) {
  const clock = createVirtualClock();
  const armed = new Set<() => void>();
  const ledger = createMemoryLedger({ now: () => clock.now() });
  const fakes = createWorld();
  const timer = (ms: number, fire: () => void) => clock.timer(ms, fire);
  const world: World = {
    ledger,
    children: createMemoryChildren({ timer, fateOf: () => ({}), onEnded: () => undefined }),
    now: () => clock.now(),
    random: () => 0.5,
    timer(_, fire) {
      armed.add(fire);
      return () => armed.delete(fire);
    },
    loadInput: async () => ({ count: 1 }),
    classify: (error) => error,
    observe: () => undefined,
    ...overrides,
  };
  const host = {
    attempt: 1,
    signal: new AbortController().signal,
    isCancelled: () => false,
    heartbeat: () => undefined,
    ready: async () => undefined,
  };
  const request: StepRequest = {
    role: 'step',
    job: { id: 'job', tenantId: 'tenant', kind: order.kind },
    step: 'reserve',
    generation: 0,
    seq: 1,
    before: 0,
    attemptsMax: 6,
    args: undefined,
  };
  const kind = joinKind(order, implementOrder(fakes));
  return { armed, fakes, world, host, request, run: () => attempt(kind, request, host, world) };
}

describe('an attempt', () => {
  it('leaves no timer behind, whether it acts or finds the outcome', async () => {
    const { run, armed, fakes } = setup();
    expect(await run()).toMatchObject({ kind: 'done' });
    expect(await run()).toMatchObject({ kind: 'done' });
    expect(fakes.log).toEqual(['reserve']);
    expect(armed.size).toBe(0);
  });

  it.each([
    [new Denied('job_unknown', 'No such job'), 'job_unknown'],
    [new SyntaxError('Unexpected end of JSON input'), 'input_unreadable'],
  ])('that cannot read its input has a bug, and has certainly done nothing: %s', async (error, code) => {
    const { run } = setup({ loadInput: () => Promise.reject(error) });
    const verdict = await run();
    expect(verdict).toMatchObject({
      kind: 'failed',
      failure: { class: 'bug', certainty: 'no', code },
      doubt: false,
    });
    expect(verdict).not.toHaveProperty('retryInMs');
  });

  it('whose outcome the ledger refuses has a bug, and may have acted', async () => {
    const ledger = createMemoryLedger({ now: () => 0 });
    const refused = new Rejected('database_refused', 'PostgreSQL answered 22P05');
    const { run } = setup({ ledger: { ...ledger, complete: () => Promise.reject(refused) } });
    expect(await run()).toMatchObject({ failure: { class: 'bug', certainty: 'unknown' }, doubt: true });
  });

  it('of a holder that ends because its worker is stopped has lost what it held', async () => {
    const { world, host, request, fakes } = setup();
    const stop = new AbortController();
    const implementation = implementSnapshot(fakes, {
      after: { keep: ({ signal }) => aborted(signal) },
    });
    const verdict = attempt(
      joinKind(snapshot, implementation),
      {
        ...request,
        job: { ...request.job, kind: snapshot.kind },
        step: 'keep',
        attemptsMax: 1,
        token: 'keep/0/0',
      },
      { ...host, signal: stop.signal, ready: async () => stop.abort() },
      world,
    );
    expect(await verdict).toMatchObject({ kind: 'failed', failure: { code: WORKER_STOPPED } });
  });

  it('waits for the database of its input', async () => {
    const away = new Transient('database_lost', 'ECONNREFUSED', { certainty: 'no' });
    const { run } = setup({ loadInput: () => Promise.reject(away) });
    expect(await run()).toMatchObject({ kind: 'deferred', attempt: 0 });
  });

  it('closes every door of its transaction behind it', async () => {
    const answer = async () => ({ rows: [], rowCount: 0 });
    const open: OwnTransaction = { query: answer, lock: async () => undefined };
    const { tx, close } = guarded(open);
    await tx.lock('the desk');
    close();
    await expect(tx.query('select 1')).rejects.toThrow('is over');
    await expect(tx.lock('the desk')).rejects.toThrow('is over');
  });
});
