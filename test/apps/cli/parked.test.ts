import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { register } from '../../../apps/cli/commands/parked.command.js';
import { renderParked, renderParkedTable } from '../../../apps/cli/parked.view.js';
import type { DeadLetter, DecisionView } from '../../../libs/client/dead-letter.types.js';
import { jobAt, json, openFaultyApi, problem, type FaultyApi } from '../../libs/client/faulty-api.js';

let api: FaultyApi;
let out: string;
let err: string;

beforeEach(async () => {
  api = await openFaultyApi();
  [out, err] = ['', ''];
  vi.stubEnv('LONGHAUL_URL', api.url);
  vi.stubEnv('LONGHAUL_KEY', 'client-key');
  vi.stubEnv('LONGHAUL_OPERATOR_KEY', 'operator-key');
  vi.stubEnv('NO_COLOR', '1');
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((out += String(text)), true));
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((err += String(text)), true));
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  process.exitCode = undefined;
  await api.close();
});

async function parked(...args: string[]): Promise<void> {
  const program = new Command().exitOverride();
  register(program);
  await program.parseAsync(['parked', ...args], { from: 'user' });
}

const LETTER: DeadLetter = {
  ...{ id: 'letter-1', status: 'open', tenant: { id: 't', name: 'acme' }, jobId: 'job-1', kind: 'pay.out' },
  ...{
    key: null,
    jobStatus: 'STARTED',
    jobPhase: 'parked',
    jobError: null,
    step: 'pay',
    stepKind: 'pivot',
    effect: 'keyed',
    summary: 'Pays',
    park: 3,
  },
  ...{ undo: false, doubt: true, attempts: 6, firstError: { code: 'timeout', message: 'No answer' } },
  ...{ lastError: { code: 'timeout', message: 'No answer' }, traceId: null, correctable: false },
  possible: ['retry', 'compensate', 'resolve'],
  waitingSince: '2026-01-02T03:04:05.000Z',
  ledgerState: 'claimed',
  decision: null,
  refused: [],
  links: { self: 'http://x', decisions: 'http://x', job: 'http://x' },
};
const DECIDED: DecisionView = {
  ...{ id: 'd', decision: 'retry', reason: 'mended', decidedBy: 'operator key k', outcome: 'pending' },
  decidedAt: '2026-01-02T03:05:00.000Z',
};
const page = (...items: DeadLetter[]) => json(200, { items });

describe('longhaul parked', () => {
  it('lists who waits, with the operator’s key', async () => {
    api.on('GET /dead-letters', page(LETTER));
    await parked('--kind', 'pay.out');
    expect(out).toMatch(/letter-1 +job-1 +pay\.out +pay +3 +yes +.* +retry, compensate, resolve\n$/);
    expect(api.seen[0]).toMatchObject({
      url: '/dead-letters?status=open&kind=pay.out&limit=50',
      headers: { authorization: 'Bearer operator-key' },
    });
  });

  it('says so when nobody waits', async () => {
    api.on('GET /dead-letters', page());
    await parked();
    expect(out).toBe('No job waits for a person.\n');
  });

  it('shows one, what each decision means there, and how to decide', async () => {
    api.on('GET /dead-letters/letter-1', json(200, LETTER));
    await parked('letter-1');
    expect(out).toContain('nobody can tell whether the effect happened');
    expect(out).toContain('compensate you say that it has NOT happened');
    expect(out).toContain('./longhaul parked letter-1 retry --reason');
  });

  it('finds it by the job’s id, and says where to look when there is none', async () => {
    api.on('GET /dead-letters/job-1', problem(404, 'dead_letter_not_found'));
    api.on('GET /dead-letters', page(LETTER), page());
    await parked('job-1');
    expect(out).toContain('pay of pay.out, park 3');
    await parked('job-1');
    expect(err).toContain('Neither a park nor a parked job has the id job-1');
    expect(process.exitCode).toBe(1);
  });

  it('asks why before anything is sent', async () => {
    await parked('letter-1', 'retry');
    expect(err).toContain('Why? Give --reason');
    expect(api.seen).toEqual([]);
  });

  it('decides about the park it has read, with its values', async () => {
    api.on('GET /dead-letters/letter-1', json(200, LETTER));
    api.on('POST /dead-letters/letter-1/decisions', json(202, jobAt(2)));
    await parked('letter-1', 'resolve', '--reason', 'seen at the bank', '--output', '{"id":7}');
    expect(JSON.parse(api.seen[1]?.body ?? '')).toEqual({
      park: 3,
      decision: 'resolve',
      reason: 'seen at the bank',
      output: { id: 7 },
    });
    expect(out).toMatch(/^Stored: resolve for park 3 of job /);
  });

  it('waits until it is known what became of it, and fails when it was refused', async () => {
    const after = (decision: Partial<DecisionView>) =>
      json(200, { ...LETTER, decision: { ...DECIDED, ...decision } });
    api.on(
      'GET /dead-letters/letter-1',
      json(200, LETTER),
      after({}),
      after({ outcome: 'refused', refusal: 'too late' }),
    );
    api.on('POST /dead-letters/letter-1/decisions', json(202, jobAt(2)));
    await parked('letter-1', 'retry', '--reason', 'mended', '--wait');
    expect(out).toContain('retry by operator key k at 2026-01-02T03:05:00.000Z, refused: too late');
    expect(process.exitCode).toBe(1);
  });

  it('tells why a decision is not possible', async () => {
    api.on('GET /dead-letters/letter-1', json(200, LETTER));
    api.on('POST /dead-letters/letter-1/decisions', problem(409, 'decision_not_possible'));
    await parked('letter-1', 'skip', '--reason', 'x');
    expect(err).toContain('409 decision_not_possible');
    expect(process.exitCode).toBe(1);
  });

  it('names the key it needs', async () => {
    api.on('GET /dead-letters', problem(403, 'role_too_low'));
    await parked();
    expect(err).toContain('LONGHAUL_OPERATOR_KEY');
  });
});

describe('the view', () => {
  const plain = (_: unknown, text: string): string => text;

  it('lets nothing steer the terminal', () => {
    const hostile = { ...LETTER, kind: 'a\u001b[2Jb', lastError: { code: 'x', message: 'y\u0007\nz' } };
    for (const line of [...renderParked(hostile, plain), ...renderParkedTable([hostile], plain)])
      expect(line).not.toMatch(/[\u0000-\u001f]/);
  });

  it.each([
    [{ effect: 'keyed' }, 'retry      look again whether it happened'],
    [{ effect: 'blind' }, 'retry      you say that it has NOT happened: try it again'],
    [{ effect: 'blind', undo: true }, 'retry      you say that there IS something to undo'],
    [{ effect: 'keyed', undo: true }, 'retry      try the undo again'],
    [{ doubt: false, stepKind: 'retriable' }, 'retry      try the step again'],
  ])('says of %o what a retry asserts', (letter, line) => {
    expect(renderParked({ ...LETTER, ...letter }, plain).join('\n')).toContain(line);
  });

  it('shows a decision on its way instead of what was possible', () => {
    const [, row] = renderParkedTable([{ ...LETTER, decision: DECIDED, possible: [] }], plain);
    expect(row).toContain('decided: retry (pending)');
  });
});
