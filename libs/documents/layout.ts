/** Lays letters out on threads: the event loop goes on, and with it the heartbeats. */
import { join } from 'node:path';
import { availableParallelism } from 'node:os';
import type { Piscina } from 'piscina';
import { packageRoot } from '../embedded/cache-folder.js';
import { DocumentRefusal } from './document.refusal.js';
import type { LaidOut, LayoutOutcome, Letter } from './letter.js';
import type { LayoutTask } from './layout.thread.js';

const THREADS_MAX = 2;
/** A thread has its fonts read: the next letter is quicker by as much. */
const THREAD_IDLE_MS = 60_000;
/** Of JavaScript's heap; the layout itself is bounded by the rows it is given. */
const THREAD_HEAP_MB = 256;

export interface Layout {
  /** Throws DocumentRefusal where the letter makes no document. */
  layOut(letter: Letter, signal: AbortSignal): Promise<LaidOut>;
  close(): Promise<void>;
}

/** With a folder of the operator's own fonts, or without. Threads begin when they are first needed. They run what was built, from the sources, too. */
export function openLayout(fontFolder?: string): Layout {
  let threads: Promise<Piscina> | undefined;
  const open = async (): Promise<Piscina> => {
    const { Piscina: Pool } = await import('piscina');
    return new Pool({
      filename: join(packageRoot(), 'dist', 'libs', 'documents', 'layout.thread.js'),
      minThreads: 0,
      maxThreads: Math.min(THREADS_MAX, availableParallelism()),
      idleTimeout: THREAD_IDLE_MS,
      resourceLimits: { maxOldGenerationSizeMb: THREAD_HEAP_MB },
    });
  };
  return {
    async layOut(letter, signal) {
      threads ??= open();
      const task: LayoutTask = { ...letter, fontFolder };
      const outcome = (await (await threads).run(task, { signal })) as LayoutOutcome;
      if ('refused' in outcome) throw new DocumentRefusal(outcome.refused.code, outcome.refused.message);
      return outcome;
    },
    async close() {
      await (await threads)?.destroy();
    },
  };
}
