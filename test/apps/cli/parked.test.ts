import { describe, expect, it } from 'vitest';
import { followDecision } from '../../../apps/cli/decision.follower.js';
import { register } from '../../../apps/cli/commands/parked.command.js';
import { outcomeText, renderParked, renderParkedTable } from '../../../apps/cli/parked.view.js';
import { createClient } from '../../../libs/client/client.js';
import type { DeadLetter, DecisionView } from '../../../libs/client/dead-letter.types.js';
import { jobAt, json, problem } from '../../libs/client/faulty-api.js';
import { commandLine } from './command-line.js';

const cli = commandLine([register], { LONGHAUL_OPERATOR_KEY: 'operator-key' });
const parked = (...args: string[]): Promise<void> => cli.run('parked', ...args);

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
const JOB_ID = '01890a5d-ac96-774b-bcce-b302099a8057';
const page = (...items: DeadLetter[]) => json(200, { items });

describe('longhaul parked', () => {
  it('lists who waits, with the operator’s key', async () => {
    cli.api.on('GET /dead-letters', page(LETTER));
    await parked('--kind', 'pay.out');
    expect(cli.out).toMatch(/letter-1 +job-1 +pay\.out +pay +3 +yes +.* +retry, compensate, resolve\n$/);
    expect(cli.api.seen[0]).toMatchObject({
      url: '/dead-letters?kind=pay.out&status=open&limit=50',
      headers: { authorization: 'Bearer operator-key' },
    });
  });

  it('says so when nobody waits', async () => {
    cli.api.on('GET /dead-letters', page());
    await parked();
    expect(cli.out).toBe('No job waits for a person.\n');
  });

  it('shows one, what each decision means there, and how to decide', async () => {
    cli.api.on('GET /dead-letters', page(LETTER));
    cli.api.on('GET /dead-letters/letter-1', json(200, LETTER));
    await parked('letter-1');
    expect(cli.out).toContain('nobody can tell whether the effect happened');
    expect(cli.out).toContain('compensate you say that it has NOT happened');
    expect(cli.out).toContain('./longhaul parked letter-1 retry --reason');
  });

  it('finds it by the job’s id, also when it is over, and says where to look when there is none', async () => {
    cli.api.on(`GET /dead-letters/${JOB_ID}`, problem(404, 'dead_letter_not_found'));
    cli.api.on('GET /dead-letters', page({ ...LETTER, status: 'closed' }), page(), page());
    await parked(JOB_ID);
    expect(cli.out).toContain('pay of pay.out, park 3, closed');
    expect(cli.api.seen[1]?.url).toBe(`/dead-letters?job=${JOB_ID}&limit=1`);
    await parked(JOB_ID);
    expect(cli.err).toContain('Neither a park nor a job that was ever parked has the id');
    expect(process.exitCode).toBe(1);
  });

  it('lists closed parks of a job too', async () => {
    const decision = { ...DECIDED, outcome: 'taken' } as const;
    cli.api.on('GET /dead-letters', page({ ...LETTER, status: 'closed', possible: [], decision }), page());
    await parked('--job', JOB_ID, '--step', 'pay', '--code', 'timeout', '--all');
    expect(cli.api.seen[0]?.url).toBe(`/dead-letters?job=${JOB_ID}&step=pay&code=timeout&limit=50`);
    expect(cli.out).toContain('closed, decided: retry (taken)');
    await parked('--kind', 'pay.in');
    expect(cli.out).toContain('No open park matches. --all lists closed ones too.');
  });

  it('shows what was refused before, there and at earlier parks: who, what, why', async () => {
    const refused = { ...DECIDED, outcome: 'refused', refusal: 'it may still act' } as const;
    cli.api.on('GET /dead-letters/letter-1', json(200, { ...LETTER, refused: [refused] }));
    cli.api.on('GET /dead-letters', page(LETTER, { ...LETTER, id: 'letter-0', park: 2, decision: refused }));
    await parked('letter-1');
    const line = 'Decided: retry by operator key k at 2026-01-02T03:05:00.000Z, refused: it may still act';
    expect(cli.out).toContain(`\n${line}\n  because mended\n`);
    expect(cli.out).toContain(`park 2, pay: ${line} (because mended)`);
  });

  it('asks why before anything is sent', async () => {
    await parked('letter-1', 'retry');
    expect(cli.err).toContain('Why? Give --reason');
    expect(cli.api.seen).toEqual([]);
  });

  it('decides about the park it has read, with its values', async () => {
    cli.api.on('GET /dead-letters/letter-1', json(200, LETTER));
    cli.api.on('POST /dead-letters/letter-1/decisions', json(202, jobAt(2)));
    await parked('letter-1', 'resolve', '--reason', 'seen at the bank', '--output', '{"id":7}');
    expect(JSON.parse(cli.api.seen[1]?.body ?? '')).toEqual({
      park: 3,
      decision: 'resolve',
      reason: 'seen at the bank',
      output: { id: 7 },
    });
    expect(cli.out).toMatch(/^Stored: resolve for park 3 of job /);
  });

  it('waits until it is known what became of it, and fails when it was refused', async () => {
    const after = (decision: Partial<DecisionView>) =>
      json(200, { ...LETTER, decision: { ...DECIDED, ...decision } });
    cli.api.on(
      'GET /dead-letters/letter-1',
      json(200, LETTER),
      after({}),
      after({ outcome: 'refused', refusal: 'too late' }),
    );
    cli.api.on('POST /dead-letters/letter-1/decisions', json(202, jobAt(2)));
    await parked('letter-1', 'retry', '--reason', 'mended', '--wait');
    expect(cli.out).toContain('retry by operator key k at 2026-01-02T03:05:00.000Z, refused: too late');
    expect(cli.out).toMatch(/\nRefused: too late\n$/);
    expect(process.exitCode).toBe(1);
  });

  it('waits for the end, too, and says how it ended', async () => {
    const decision = { ...DECIDED, outcome: 'taken' } as const;
    const jobError = { code: 'decided_against', detail: 'A person decided against step pay' };
    const after = { ...LETTER, status: 'closed', decision, jobStatus: 'FAILED', jobError };
    cli.api.on('GET /dead-letters/letter-1', json(200, LETTER), json(200, after));
    cli.api.on('POST /dead-letters/letter-1/decisions', json(202, jobAt(2)));
    await parked('letter-1', 'compensate', '--reason', 'not wanted', '--wait');
    expect(cli.out).toMatch(
      /Taken: the job ended FAILED: decided_against: A person decided against step pay\.\n$/,
    );
    expect(process.exitCode).toBe(0);
  });

  it('tells why a decision is not possible', async () => {
    cli.api.on('GET /dead-letters/letter-1', json(200, LETTER));
    cli.api.on('POST /dead-letters/letter-1/decisions', problem(409, 'decision_not_possible'));
    await parked('letter-1', 'skip', '--reason', 'x');
    expect(cli.err).toContain('409 decision_not_possible');
    expect(process.exitCode).toBe(1);
  });

  it('names the key it needs', async () => {
    cli.api.on('GET /dead-letters', problem(403, 'role_too_low'));
    await parked();
    expect(cli.err).toContain('LONGHAUL_OPERATOR_KEY');
  });
});

describe('following a decision', () => {
  const taken = { ...DECIDED, outcome: 'taken' } as const;
  const closed: DeadLetter = { ...LETTER, status: 'closed', possible: [], decision: taken };
  const again: DeadLetter = { ...LETTER, id: 'letter-2', park: 4 };
  const ended: DeadLetter = { ...closed, jobStatus: 'SUCCEEDED', jobPhase: 'done' };
  const refused = { ...DECIDED, outcome: 'refused', refusal: 'The ledger refused it' } as const;
  const follow = (waitMaxMs: number, ruledWithinMs = 0) =>
    followDecision(createClient({ url: cli.api.url, key: 'k' }), 'letter-1', {
      lookEveryMs: 1,
      ruledWithinMs,
      waitMaxMs,
    });

  it.each([
    [
      'went on',
      [{ ...closed, ledgerState: 'done', jobPhase: 'forward' }],
      [closed],
      'Taken: the job goes on, forward.',
    ],
    ['ended', [closed, ended], [closed], 'Taken: the job ended SUCCEEDED.'],
    ['parked again', [closed], [again], 'Taken, and parked again as number 4 at pay: timeout: No answer.'],
    [
      'was refused by the ledger',
      [closed, { ...LETTER, decision: refused }],
      [again],
      'Refused: The ledger refused it',
    ],
  ] as const)('says that it %s', async (_, letters, latest, text) => {
    cli.api.on('GET /dead-letters/letter-1', ...letters.map((letter) => json(200, letter)));
    cli.api.on('GET /dead-letters', page(...latest));
    expect(outcomeText(await follow(10_000))).toContain(text);
  });

  it('says after its time whether the saga has it', async () => {
    cli.api.on('GET /dead-letters', page(closed));
    cli.api.on('GET /dead-letters/letter-1', json(200, closed));
    expect(await follow(5)).toMatchObject({ is: 'tried' });
    cli.api.on('GET /dead-letters/letter-1', json(200, { ...LETTER, decision: DECIDED }));
    expect(await follow(5)).toMatchObject({ is: 'undelivered' });
  });
});

describe('longhaul parked decide', () => {
  const three = [1, 2, 3].map((n): DeadLetter => ({
    ...LETTER,
    id: `letter-${n}`,
    jobId: `job-${n}`,
    park: n,
  }));
  const bulk = (...args: string[]) =>
    parked('decide', 'retry', '--kind', 'pay.out', '--step', 'pay', ...args);
  const sent = () => cli.api.seen.filter(({ method }) => method === 'POST');

  it('lists what it would decide about, and what it leaves alone, and sends nothing in a dry run', async () => {
    const unable = { ...LETTER, id: 'letter-4', possible: ['resolve' as const] };
    const decided = { ...LETTER, id: 'letter-5', possible: [], decision: DECIDED };
    cli.api.on('GET /dead-letters', page(...three, unable, decided));
    await bulk('--code', 'timeout', '--reason', 'provider is back', '--dry-run');
    expect(cli.api.seen[0]?.url).toBe(
      '/dead-letters?status=open&kind=pay.out&step=pay&code=timeout&limit=200',
    );
    expect(cli.out).toContain('retry: 3 parks\n');
    expect(cli.out).toMatch(/letter-1 .*\n.*letter-2 .*\n.*letter-3 /);
    expect(cli.out).toMatch(/Left alone, retry is not possible there: 1 park\n.*\n.*letter-4 /);
    expect(cli.out).not.toContain('letter-5');
    expect(sent()).toEqual([]);
  });

  it('decides about each by itself, and says of each that was refused by whom and why', async () => {
    cli.api.on('GET /dead-letters', page(...three));
    const detail =
      'Decided already: compensate by operator key k2 at 2026-01-02T03:05:00.000Z, which is taken.';
    for (const n of [1, 3]) cli.api.on(`POST /dead-letters/letter-${n}/decisions`, json(202, jobAt(2)));
    cli.api.on('POST /dead-letters/letter-2/decisions', problem(409, 'decision_not_possible', { detail }));
    await bulk('--reason', 'provider is back', '--yes');
    expect(sent().map(({ body }) => JSON.parse(body) as unknown)).toEqual(
      [1, 2, 3].map((park) => ({ park, decision: 'retry', reason: 'provider is back' })),
    );
    expect(cli.out).toContain('2 stored, and on their way to their sagas\n');
    expect(cli.out).toContain(`1 refused\n  letter-2 pay of job job-2: ${detail}\n`);
    expect(process.exitCode).toBe(1);
  });

  it('gives each the same answer', async () => {
    cli.api.on('GET /dead-letters', page(...three));
    for (const n of [1, 2, 3]) cli.api.on(`POST /dead-letters/letter-${n}/decisions`, json(202, jobAt(2)));
    const step = ['--kind', 'pay.out', '--step', 'pay'];
    await parked('decide', 'resolve', ...step, '--output', '{"yes":true}', '--reason', 'seen', '--yes');
    expect(sent().map(({ body }) => JSON.parse(body) as unknown)).toEqual(
      [1, 2, 3].map((park) => ({ park, decision: 'resolve', reason: 'seen', output: { yes: true } })),
    );
  });

  it('corrects those that can be, asked with the same arguments, and sends nothing where they differ', async () => {
    const correctable = three.map((one) => ({ ...one, correctable: true, args: { to: 'A' } }));
    const [first, second, third] = correctable as [DeadLetter, DeadLetter, DeadLetter];
    const corrected = ['--input', '{"to":"B"}', '--reason', 'mended', '--yes'];
    cli.api.on('GET /dead-letters', page(first, second, { ...third, args: { to: 'C' } }));
    await bulk(...corrected);
    expect(cli.err).toContain('Nothing was sent: these parks have 2 different arguments');
    expect(sent()).toEqual([]);
    cli.api.on('GET /dead-letters', page(first, second, { ...third, correctable: false }));
    for (const n of [1, 2]) cli.api.on(`POST /dead-letters/letter-${n}/decisions`, json(202, jobAt(2)));
    await bulk(...corrected);
    expect(cli.out).toContain('Left alone, retry with --input is not possible there: 1 park\n');
    expect(sent().map(({ body }) => JSON.parse(body) as unknown)).toEqual(
      [1, 2].map((park) => ({ park, decision: 'retry', reason: 'mended', input: { to: 'B' } })),
    );
  });

  it.each([
    [['retry', '--kind', 'pay.out', '--input', '{}'], 'One --input fits one step: narrow it with --kind and'],
    [['resolve', '--all', '--output', '{}'], 'One --output fits one step'],
    [['retry', '--all', '--output', '{}'], '--output goes with resolve'],
    [['compensate', '--all', '--input', '{}'], '--input goes with retry'],
    [['retry', '--kind', 'pay.out', '--step', 'pay', '--input', '{'], '--input is not JSON'],
  ])('refuses %j before anything is asked for', async (args, message) => {
    await parked('decide', ...args, '--reason', 'mended', '--yes');
    expect(cli.err).toContain(message);
    expect([cli.api.seen, process.exitCode]).toEqual([[], 1]);
  });

  it('waits for what becomes of each', async () => {
    cli.api.on('GET /dead-letters', page(...three.slice(0, 2)));
    const taken = { ...DECIDED, outcome: 'taken' } as const;
    const ended = { ...LETTER, decision: taken, jobStatus: 'SUCCEEDED' };
    const refused = { ...LETTER, decision: { ...DECIDED, outcome: 'refused', refusal: 'too early' } };
    for (const n of [1, 2]) cli.api.on(`POST /dead-letters/letter-${n}/decisions`, json(202, jobAt(2)));
    cli.api.on('GET /dead-letters/letter-1', json(200, ended));
    cli.api.on('GET /dead-letters/letter-2', json(200, refused));
    await bulk('--reason', 'provider is back', '--yes', '--wait', '--json');
    const lines = cli.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(lines).toMatchObject([
      { id: 'letter-1', jobId: 'job-1', park: 1, outcome: 'ended' },
      { id: 'letter-2', outcome: 'refused', detail: 'Refused: too early' },
    ]);
    expect(process.exitCode).toBe(1);
  });

  it('repeated, has nothing left to decide', async () => {
    cli.api.on(
      'GET /dead-letters',
      page(...three.map((one) => ({ ...one, possible: [], decision: DECIDED }))),
    );
    await bulk('--reason', 'provider is back', '--yes');
    expect(cli.out).toContain('No park that matches awaits a decision for which retry is possible.');
    expect([sent(), process.exitCode]).toEqual([[], undefined]);
  });

  it('asks for a filter, for a reason, and for a yes before anything is sent', async () => {
    cli.api.on('GET /dead-letters', page(...three));
    await parked('decide', 'retry', '--reason', 'why not');
    expect(cli.err).toContain('Which? Narrow it');
    await bulk();
    expect(cli.err).toContain('Why? Give --reason');
    await bulk('--reason', 'provider is back');
    expect(cli.err).toContain('Nothing was sent: there is no terminal to ask on');
    expect([sent(), process.exitCode]).toEqual([[], 1]);
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
