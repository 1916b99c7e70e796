/** A schedule told in order: what went wrong, what was tried, and what really happened. */
import type { RunEvent } from './events.js';
import { factNameOf } from './truth.js';

export interface Story {
  readonly lines: readonly string[];
  readonly tell: (event: RunEvent) => void;
  readonly depart: (where: string, what: string) => void;
}

const HAPPENED = {
  applied: 'takes effect',
  undone: 'is taken back',
  broken: 'is to be taken back, and is not there: harm is done',
} as const;

export function createStory(): Story {
  const lines: string[] = [];
  let phase = 'forward';
  return {
    lines,
    depart: (where, what) => void lines.push(`! ${where}: ${what}`),
    tell(event) {
      switch (event.kind) {
        case 'attempt': {
          const { role, attempt, what, code } = event.event;
          const ended = what === 'begin' ? 'begins' : code === undefined ? what : `${what}: ${code}`;
          lines.push(`  ${role} ${factNameOf(event.event)} #${attempt} ${ended}`);
          return;
        }
        case 'truth':
          lines.push(`  = ${factNameOf(event.ref)} ${HAPPENED[event.what]}`);
          return;
        case 'state':
          if (event.state.phase !== phase) lines.push(`  the saga is ${event.state.phase}`);
          phase = event.state.phase;
          return;
        case 'finish':
          lines.push(`  the end is recorded: ${event.end.status}`);
          return;
        case 'continued':
          lines.push('  the saga goes on in a new run');
          return;
        case 'start':
        case 'decision':
          return;
      }
    },
  };
}
