/** A schedule told in order: what went wrong, what was tried, and what really happened. */
import type { RunEvent } from './run-schedule.js';
import { factNameOf } from './truth.js';

export interface Story {
  readonly lines: readonly string[];
  readonly tell: (event: RunEvent) => void;
  readonly depart: (where: string, what: string) => void;
}

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
          lines.push(
            `  = ${factNameOf(event.ref)} ${event.what === 'applied' ? 'takes effect' : 'is taken back'}`,
          );
          return;
        case 'state':
          if (event.state.phase !== phase) lines.push(`  the saga is ${event.state.phase}`);
          phase = event.state.phase;
          return;
        case 'finish':
          lines.push(`  the end is recorded: ${event.end.status}`);
          return;
        case 'start':
          return;
      }
    },
  };
}
