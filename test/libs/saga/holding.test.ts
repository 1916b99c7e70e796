import { describe, expect, it } from 'vitest';
import { Denied, HoldLost, Rejected, Transient, WORKER_STOPPED } from '../../../libs/saga/failure.js';
import { runInMemory } from '../../../libs/saga/memory.js';
import { aborted, createWorld, implementSnapshot, type Scripts } from '../../conformance/fakes.js';
import { snapshot } from '../../conformance/kinds.js';

function setup(scriptsOf: (world: ReturnType<typeof createWorld>) => Scripts = () => ({})) {
  const world = createWorld();
  const implementation = implementSnapshot(world, scriptsOf(world));
  const run = (options: Partial<Parameters<typeof runInMemory<typeof snapshot>>[2]> = {}) =>
    runInMemory(snapshot, implementation, { input: { count: 3 }, clock: world.clock, ...options });
  return { world, run };
}

const lost = () => new Transient('connection_lost', 'The snapshot is gone', { certainty: 'no' });

describe('a block with a holder', () => {
  it('runs while it is held, and releases it before the terminal record', async () => {
    const { world, run } = setup();
    const { end, trace, state } = await run();
    expect(world.log).toEqual(['part 0', 'part 1', 'part 2', 'publish']);
    expect(end?.status).toBe('SUCCEEDED');
    const events = trace.map(({ step, what }) => `${step} ${what}`);
    expect(events).toContain('keep done');
    expect(state.steps[0]).toMatchObject({ name: 'keep', status: 'done' });
  });

  it('does not slow the steps after it by the holder’s end, but waits for it before the record', async () => {
    const { world, run } = setup(({ clock, log }) => ({
      after: {
        keep: async ({ signal }) => {
          await aborted(signal);
          await clock.sleep(5_000);
          log.push('released');
        },
      },
    }));
    const { end, elapsedMs } = await run();
    expect(end?.status).toBe('SUCCEEDED');
    expect(world.log.slice(-2)).toEqual(['publish', 'released']);
    expect(elapsedMs).toBe(5_000);
  });

  it('shows a holder as failed that a person gave up', async () => {
    const { run } = setup(() => ({
      before: {
        keep: () => {
          throw new Denied('denied', '401');
        },
      },
    }));
    const { end, state } = await run({ onPark: (control) => control.decide('compensate') });
    expect(end).toMatchObject({ status: 'FAILED', error: { code: 'decided_against' } });
    expect(state.steps).toMatchObject([{ name: 'keep', status: 'failed' }]);
  });

  it('starts over under fresh keys when the holder is lost, having undone its parts', async () => {
    const { world, run } = setup(({ clock }) => ({
      before: { part: ({ item, signal }) => clock.sleep(item === 2 ? 10_000 : 0, signal) },
      after: {
        keep: async ({ generation, signal }) => {
          await clock.sleep(generation === 0 ? 1_000 : 60_000_000, signal);
          if (generation === 0) throw lost();
        },
      },
    }));
    const { end, ledger, state } = await run();
    expect(end).toMatchObject({ status: 'SUCCEEDED', result: { parts: 3 } });
    expect(world.log).toEqual([
      ...['part 0', 'part 1', 'part 2'],
      ...['unpart 2', 'unpart 1', 'unpart 0'],
      ...['part 0', 'part 1', 'part 2', 'publish'],
    ]);
    expect(
      [...ledger.rows.values()]
        .filter(({ step }) => step === 'part')
        .map(({ generation, state: s }) => `${generation} ${s}`),
    ).toEqual([...['0 undone', '0 undone', '0 undone'], ...['1 done', '1 done', '1 done']]);
    expect(state.message).toContain('Starting over (1 of 2)');
    expect(state.steps.filter(({ name }) => name === 'part')).toHaveLength(3);
  });

  it('starts over, too, when a worker was lost with the holder and leaves its part in doubt', async () => {
    const { world, run } = setup(({ clock }) => ({
      before: {
        // Deaf to its signal: it never reports, so nobody can tell whether it took effect.
        part: ({ item, generation }) =>
          generation === 0 && item === 2 ? clock.sleep(60_000_000) : undefined,
      },
      after: {
        keep: async ({ generation, signal }) => {
          await clock.sleep(generation === 0 ? 1_000 : 600_000_000, signal);
          if (generation === 0) throw lost();
        },
      },
    }));
    const { end } = await run();
    expect(end).toMatchObject({ status: 'SUCCEEDED', result: { parts: 3 } });
    expect(world.log.slice(-4)).toEqual(['part 0', 'part 1', 'part 2', 'publish']);
  });

  it('takes a step’s word that what was held is gone', async () => {
    const { run, world } = setup(() => ({
      before: {
        part: ({ generation }) => {
          if (generation === 0) throw new HoldLost('Nobody knows the snapshot');
        },
      },
    }));
    const { end } = await run();
    expect(end?.status).toBe('SUCCEEDED');
    expect(world.log).toEqual(['part 0', 'part 1', 'part 2', 'publish']);
  });

  it('fails the saga when it was lost too often', async () => {
    const { world, run } = setup(({ clock }) => ({
      before: { part: ({ signal }) => clock.sleep(10_000, signal) },
      after: {
        keep: async ({ signal }) => {
          await clock.sleep(100, signal);
          throw lost();
        },
      },
    }));
    const { end, trace } = await run();
    expect(end).toMatchObject({
      status: 'FAILED',
      compensated: 'all',
      error: { code: 'connection_lost', step: 'keep' },
    });
    expect(trace.filter(({ step, what }) => step === 'keep' && what === 'begin')).toHaveLength(3);
    expect(world.live.size).toBe(0);
  });

  it('does not count the planned stops of the holder’s worker', async () => {
    const { run } = setup(({ clock }) => ({
      before: { part: ({ generation, signal }) => clock.sleep(generation < 6 ? 10_000 : 0, signal) },
      after: {
        keep: async ({ generation, signal }) => {
          await clock.sleep(generation < 6 ? 100 : 60_000_000, signal);
          if (generation < 6) throw new Transient(WORKER_STOPPED, 'Stopped', { certainty: 'no' });
        },
      },
    }));
    const { end, state } = await run();
    expect(end).toMatchObject({ status: 'SUCCEEDED', result: { parts: 3 } });
    expect(state.message).toBe('Starting over: the worker of keep was stopped');
  });

  it('retries a holder that is not ready yet like any step, without starting over', async () => {
    const { run } = setup(() => ({
      before: {
        keep: ({ attempt }) => {
          if (attempt < 4) throw new Transient('refused', 'Not up', { certainty: 'no' });
        },
      },
    }));
    const { end, state } = await run();
    expect(end?.status).toBe('SUCCEEDED');
    expect(state.message).toBeUndefined();
  });

  it('releases the holder when a step is rejected, and undoes the parts once', async () => {
    const { world, run } = setup(() => ({
      before: {
        part: ({ item }) => {
          if (item === 2) throw new Rejected('no_such_column', 'No');
        },
      },
    }));
    const { end } = await run();
    expect(end).toMatchObject({ status: 'FAILED', compensated: 'all' });
    expect(world.log).toEqual(['part 0', 'part 1', 'unpart 1', 'unpart 0']);
  });

  it('ends at once when cancelled while held', async () => {
    const { world, run } = setup(({ clock }) => ({
      before: {
        part: async ({ signal }) => {
          await clock.sleep(10_000, signal);
          signal.throwIfAborted();
        },
      },
    }));
    const { end, elapsedMs } = await run({ cancelAt: 1_000 });
    expect(end?.status).toBe('CANCELLED');
    expect(elapsedMs).toBe(1_000);
    expect(world.live.size).toBe(0);
  });
});
