/** What the output can show: colours (NO_COLOR, FORCE_COLOR), redrawing (a TTY only), width. */
import { stripVTControlCharacters, styleText } from 'node:util';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

export interface Terminal {
  /** Whether lines can be drawn over. */
  readonly live: boolean;
  readonly columns: () => number;
  readonly paint: (style: Style, text: string) => string;
  readonly print: (line: string) => void;
}

interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const COLUMNS_DEFAULT = 80;
const REDRAW_INTERVAL_MS = 50;

export function openTerminal(
  output: Output = process.stdout,
  env: NodeJS.ProcessEnv = process.env,
): Terminal {
  const isTty = output.isTTY === true && env.TERM !== 'dumb';
  const coloured = env.NO_COLOR ? false : env.FORCE_COLOR ? env.FORCE_COLOR !== '0' : isTty;
  return {
    live: isTty,
    columns: () => output.columns ?? COLUMNS_DEFAULT,
    paint: (style, text) => (coloured ? styleText(style, text, { validateStream: false }) : text),
    print: (line) => void output.write(`${line}\n`),
  };
}

/** Whoever read has had enough (`| head -1`): the program ends as it would have, and writes nothing more. */
export function endWithReader(output: NodeJS.WriteStream, exit: () => void): void {
  output.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    exit();
  });
}

/** Without control characters: what comes from servers and users must not steer the terminal. */
export function toPlain(text: string): string {
  return stripVTControlCharacters(text).replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
}

/** Cuts a line, colours not counted, so that it does not wrap and spoil the redrawing. */
export function fitLine(line: string, columns: number): string {
  if (stripVTControlCharacters(line).length <= columns) return line;
  let visible = 0;
  let fitted = '';
  for (const token of line.match(/\u001b\[[0-9;]*m|./gu) ?? []) {
    if (token.startsWith('\u001b')) fitted += token;
    else if (++visible < columns) fitted += token;
    else if (visible === columns) fitted += '…';
  }
  return fitted;
}

/** One line about what is going on: drawn over on a TTY; elsewhere printed when its plain text changes. */
export interface StatusLine {
  update(live: string, plain: string): void;
  /** Takes the line away, or leaves this text in its place. */
  end(text?: string): void;
}

export function openStatusLine(terminal: Terminal, output: Output = process.stdout): StatusLine {
  let shown = '';
  let drawnAt = -Infinity;
  return {
    update(live, plain) {
      const now = performance.now();
      // The eye takes no more, and a slow line to a terminal would hold up what is being shown.
      if (terminal.live && plain === shown && now - drawnAt < REDRAW_INTERVAL_MS) return;
      drawnAt = now;
      if (terminal.live) output.write(`\u001b[2K${fitLine(live, terminal.columns() - 1)}\r`);
      else if (plain !== shown) terminal.print(plain);
      shown = plain;
    },
    end(text) {
      if (terminal.live && shown !== '') output.write('\u001b[2K');
      if (text !== undefined) terminal.print(text);
      shown = '';
    },
  };
}

/** A block of lines at the bottom that is drawn over, and lines that stay above it. */
export interface LiveBlock {
  draw(lines: readonly string[]): void;
  /** Leaves the block as it is and goes below it. */
  end(): void;
}

export function openLiveBlock(output: Output = process.stdout): LiveBlock {
  let drawn = 0;
  return {
    draw(lines) {
      const columns = output.columns ?? COLUMNS_DEFAULT;
      const up = drawn > 0 ? `\u001b[${drawn}A` : '';
      const text = lines.map((line) => `\u001b[2K${fitLine(line, columns - 1)}\n`).join('');
      const below = drawn > lines.length ? '\u001b[0J' : '';
      output.write(up + text + below);
      drawn = lines.length;
    },
    end: () => void (drawn = 0),
  };
}
