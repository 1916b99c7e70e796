import { PassThrough } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { endWithReader, fitLine, openLiveBlock, openTerminal, toPlain } from '../../../apps/cli/terminal.js';

const sink = (
  isTTY: boolean,
  columns = 20,
): { isTTY: boolean; columns: number; text: string; write(text: string): void } => ({
  isTTY,
  columns,
  text: '',
  write(text) {
    this.text += text;
  },
});

describe('openTerminal', () => {
  it.each([
    ['a TTY', true, {}, true, true],
    ['a pipe', false, {}, false, false],
    ['NO_COLOR', true, { NO_COLOR: '1' }, false, true],
    ['an empty NO_COLOR', true, { NO_COLOR: '' }, true, true],
    ['FORCE_COLOR on a pipe', false, { FORCE_COLOR: '1' }, true, false],
    ['NO_COLOR over FORCE_COLOR', false, { NO_COLOR: '1', FORCE_COLOR: '1' }, false, false],
    ['a dumb terminal', true, { TERM: 'dumb' }, false, false],
  ])('%s', (_, isTty, env, coloured, live) => {
    const terminal = openTerminal(sink(isTty), env);
    expect(terminal.paint('red', 'x') !== 'x').toBe(coloured);
    expect(terminal.live).toBe(live);
  });
});

describe('fitLine', () => {
  it('cuts by what is seen, and keeps colours closed', () => {
    expect(fitLine('\u001b[31mabcdef\u001b[39m', 4)).toBe('\u001b[31mabc…\u001b[39m');
    expect(fitLine('\u001b[31mabcd\u001b[39m', 4)).toBe('\u001b[31mabcd\u001b[39m');
  });
});

describe('openLiveBlock', () => {
  it('draws over what it drew, and clears what is shorter now', () => {
    const output = sink(true);
    const block = openLiveBlock(output);
    block.draw(['one', 'two']);
    expect(output.text).toBe('\u001b[2Kone\n\u001b[2Ktwo\n');
    output.text = '';
    block.draw(['three']);
    expect(output.text).toBe('\u001b[2A\u001b[2Kthree\n\u001b[0J');
  });
});

it('takes control characters out of what others wrote', () => {
  expect(toPlain('a\u001b]0;title\u0007b\r\nc\u009b')).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
});

it('ends quietly when whoever reads has had enough, and for no other reason', () => {
  const output = new PassThrough();
  const exit = vi.fn();
  endWithReader(output as unknown as NodeJS.WriteStream, exit);
  output.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
  expect(exit).toHaveBeenCalledOnce();
  expect(() => output.emit('error', Object.assign(new Error('no space'), { code: 'ENOSPC' }))).toThrow(
    'no space',
  );
});
