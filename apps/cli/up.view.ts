/** What `longhaul up` shows: each part as it comes up, with the time it took; then where everything is. */
import type { RunFile } from '../../libs/embedded/run-file.js';
import type { StackEvent } from '../../libs/embedded/stack.js';
import { formatDuration } from './figures.view.js';
import { toPlain, type Terminal } from './terminal.js';

export interface UpView {
  readonly event: (event: StackEvent) => void;
  ready(run: RunFile, runFile: string): void;
  stopping(hurried: boolean): void;
  stopped(): void;
}

const NAME_COLUMNS = 30;
const LABEL_COLUMNS = 14;

export function openUpView(terminal: Terminal): UpView {
  const { paint, print } = terminal;
  const startedAt = performance.now();
  const diedAt = new Map<string, number>();
  const since = (at: number): string => formatDuration(performance.now() - at);
  const mark = (name: string, from = startedAt): void =>
    print(`  ${paint('green', '✓')} ${name.padEnd(NAME_COLUMNS)} ${paint('dim', since(from))}`);
  const link = (label: string, value: string): void =>
    print(`  ${paint('dim', label.padEnd(LABEL_COLUMNS))} ${value}`);

  let begun = false;
  return {
    event(event) {
      // Not before something happens: a start that is refused is not coming up.
      if (!begun) print(paint('bold', 'Longhaul is coming up'));
      begun = true;
      if (event.type === 'note') print(`  ${paint('yellow', '·')} ${event.text}`);
      else if (event.type === 'done') mark(event.name);
      else if (event.type === 'ready' && event.first) mark(event.name);
      else if (event.type === 'ready') mark(`${event.name} is back after`, diedAt.get(event.name));
      else if (event.type === 'died') {
        diedAt.set(event.name, performance.now());
        const again = formatDuration(event.restartMs);
        print(`  ${paint('red', '✗')} ${event.name} ${toPlain(event.how)}; again in ${again}`);
      }
    },
    ready(run, runFile) {
      print(`${paint('bold', 'Ready')} after ${since(startedAt)}\n`);
      link('API', run.api);
      link('Reference', `${run.api}/docs`);
      if (run.temporalUi !== null) link('Temporal UI', run.temporalUi);
      if (run.mailbox !== null) link('Sent e-mail', `${run.mailbox}/messages`);
      link('Metrics', run.metrics);
      link('Logs', run.logs);
      link('Keys, all else', runFile);
      print(
        `\nCtrl-C stops it; what is accepted goes on at the next start. Try \`npm run demo\` in another terminal.\n`,
      );
    },
    stopping: (hurried) => print(hurried ? 'At once, then.' : 'Stopping (Ctrl-C again: at once) …'),
    stopped: () => print('Stopped.'),
  };
}
