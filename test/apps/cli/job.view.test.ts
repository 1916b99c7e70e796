import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  renderBar,
  renderChildren,
  renderEnd,
  renderFigures,
  renderLive,
  renderPlain,
  renderState,
  renderSteps,
  renderTrouble,
} from '../../../apps/cli/job.view.js';
import type { StepView } from '../../../libs/client/job.types.js';
import { jobAt } from '../../libs/client/faulty-api.js';

const plain = (_: string, text: string): string => text;
const step = (name: string, status: StepView['status'], more: Partial<StepView> = {}): StepView => ({
  name,
  kind: 'readOnly',
  status,
  attempt: 1,
  ...more,
});

describe('renderBar', () => {
  it.each([
    [0, '░░░░'],
    [50, '██░░'],
    [56.25, '██▎░'],
    [100, '████'],
    [140, '████'],
    [-3, '░░░░'],
  ])('draws %d%% as %s', (percent, bar) => expect(renderBar(percent, 4)).toBe(bar));

  it('is as wide as asked, and never shrinks as work advances', () => {
    fc.assert(
      fc.property(
        fc.float({ min: 0, max: 100, noNaN: true }),
        fc.float({ min: 0, max: 100, noNaN: true }),
        (a, b) => {
          const [low, high] = [Math.min(a, b), Math.max(a, b)];
          const fullOf = (bar: string): number => [...bar].filter((cell) => cell === '█').length;
          expect([...renderBar(a, 20)]).toHaveLength(20);
          expect(fullOf(renderBar(low, 20))).toBeLessThanOrEqual(fullOf(renderBar(high, 20)));
        },
      ),
    );
  });
});

describe('children', () => {
  const children = {
    total: 1_000,
    open: 3,
    parked: 2,
    succeeded: 990,
    failed: 7,
    cancelled: 0,
    parkedJobs: [],
  };
  const parkedJobs = [
    { id: 'c1', kind: 'payout.item', key: 'k', step: 'pay', links: { self: 'http://api/jobs/c1' } },
  ];

  it('are counted, those that wait for a person too', () => {
    expect(renderChildren(children)).toBe('1,000 jobs: 3 open (2 parked), 990 succeeded, 7 failed');
    expect(renderChildren({ ...children, total: 1, open: 0, parked: 0, succeeded: 1, failed: 0 })).toBe(
      '1 job: 1 succeeded',
    );
  });

  it('that are parked are named while the job runs, and counted when it has ended', () => {
    const job = jobAt(3, { children: { ...children, parkedJobs } });
    expect(renderLive(job, plain).slice(3)).toEqual([
      '  1,000 jobs: 3 open (2 parked), 990 succeeded, 7 failed',
      '  payout.item c1 is parked at pay',
      '  and 1 more',
    ]);
    expect(renderEnd({ ...job, status: 'SUCCEEDED' }, plain)).toContain(`  ${renderChildren(children)}`);
    expect(renderPlain(job)).toContain('2 of its jobs parked');
  });
});

describe('renderFigures', () => {
  it('says percent, rows, bytes, rate and time left', () => {
    const progress = {
      percent: 57.9,
      done: 1_710_000,
      total: 3_000_000,
      unit: 'rows',
      bytes: 182_400_000,
      ratePerSecond: 812_000.4,
      etaSeconds: 2,
    };
    expect(renderFigures(progress)).toBe(
      ' 57%  1,710,000 of 3,000,000 rows · 182.4 MB · 812,000 rows/s · 2.0 s left',
    );
  });

  it('leaves out what is not known', () => {
    expect(renderFigures({ percent: 0, done: null, total: null, bytes: null })).toBe('  0%');
    expect(renderFigures({ percent: 3, done: 12, ratePerSecond: 4 })).toBe('  3%  12 · 4/s');
  });

  it('does not show 100% before the end', () => {
    expect(renderFigures({ percent: 99.9 })).toBe(' 99%');
  });
});

describe('renderSteps', () => {
  it('counts the items of a step, and shows the status that matters most', () => {
    const steps = [
      step('plan', 'done'),
      step('render', 'done', { item: 0 }),
      step('render', 'retrying', { item: 1 }),
      step('render', 'running', { item: 2 }),
      step('publish', 'waiting'),
    ];
    expect(renderSteps(steps, plain)).toBe('✓ plan  ↻ render 1/3  · publish');
  });
});

describe('renderTrouble', () => {
  it('names step, item, attempt and the last error', () => {
    const steps = [
      step('render', 'retrying', { item: 3, attempt: 2, lastError: { message: 'connection reset' } }),
    ];
    expect(renderTrouble(steps)).toEqual(['render[3] retrying, attempt 2: connection reset']);
  });

  it('says how many more there are', () => {
    const steps = Array.from({ length: 8 }, (_, item) => step('render', 'retrying', { item }));
    expect(renderTrouble(steps)).toHaveLength(4);
    expect(renderTrouble(steps).at(-1)).toBe('and 5 more');
  });

  it('lets no error text steer the terminal', () => {
    const steps = [step('render', 'failed', { lastError: { message: 'a\u001b[2Jb\nc\u0007' } })];
    expect(renderTrouble(steps)).toEqual(['render failed, attempt 1: ab c ']);
  });
});

describe('states and ends', () => {
  it('says how old a stale state is', () => {
    expect(renderState(jobAt(1, { stale: true, asOf: '2026-01-01T00:00:00Z' }))).toBe(
      'STARTED, forward (as of 2026-01-01T00:00:00Z)',
    );
  });

  it('is one line in a log', () => {
    const job = jobAt(1, { progress: { percent: 4, message: 'The dataset is being loaded: 34%.' } });
    expect(renderPlain(job)).toBe('STARTED, forward: 4% (The dataset is being loaded: 34%.)');
  });

  it('shows bar, steps, state and trouble while it runs', () => {
    const job = jobAt(50, {
      steps: [step('render', 'parked', { lastError: { message: 'denied' } })],
      phase: 'parked',
    });
    expect(renderLive(job, plain)).toEqual([
      `  ${renderBar(50)}  50%`,
      '  ‖ render',
      '  STARTED, parked',
      '  render parked, attempt 1: denied',
      `  An operator decides: ./longhaul parked ${job.id}`,
    ]);
    expect(renderPlain(job)).toBe(
      `STARTED, parked: 50%; render parked, attempt 1: denied; An operator decides: ./longhaul parked ${job.id}`,
    );
  });

  it('tells the time a success took', () => {
    const job = jobAt(9, { status: 'SUCCEEDED', phase: 'done', finishedAt: '2026-01-01T00:00:02.5Z' });
    expect(renderEnd(job, plain)).toEqual(['✓ SUCCEEDED after 2.5 s']);
  });

  it('tells why a job failed and what is left', () => {
    const job = jobAt(9, {
      status: 'FAILED',
      phase: 'done',
      compensated: 'partial',
      leftovers: [{ step: 'reserve', kept: '1 of 2 paid' }],
      error: { code: 'source_gone', title: 'Source gone', detail: 'The table was dropped.' },
    });
    expect(renderEnd(job, plain)).toEqual([
      '✗ FAILED: source_gone: The table was dropped.',
      '  compensated: partial, leftovers: 1',
      '    reserve: 1 of 2 paid',
    ]);
  });
});
