import { afterEach, expect, it, vi } from 'vitest';
import { openUpView } from '../../../apps/cli/up.view.js';

afterEach(() => void vi.useRealTimers());

it('says of a process that is back how long it was away, not how long the stack is up', () => {
  vi.useFakeTimers();
  const lines: string[] = [];
  const paint = (_: unknown, text: string): string => text;
  const view = openUpView({ live: false, columns: () => 80, paint, print: (line) => void lines.push(line) });
  view.event({ type: 'ready', name: 'api', pid: 1, first: true });
  vi.advanceTimersByTime(1_023_000);
  view.event({ type: 'died', name: 'api', how: 'ended by SIGKILL', restartMs: 100 });
  vi.advanceTimersByTime(1_200);
  view.event({ type: 'ready', name: 'api', pid: 2, first: false });
  expect(lines.slice(-2)).toEqual([
    '  ✗ api ended by SIGKILL; again in 100 ms',
    expect.stringMatching(/^ {2}✓ api is back after +1\.2 s$/),
  ]);
});
