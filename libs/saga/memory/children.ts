/** Child jobs in memory: each ends as it is told, on the virtual clock. */
import type { ChildrenLook, ChildrenRef, ChildJobs } from '../child-jobs.js';
import type { ChildEnd } from '../children.js';
import type { AnyJobDefinition } from '../define.js';
import { effectKeyOf } from '../protocol.js';

/** What becomes of a child. */
export interface ChildFate {
  /** Until it ends by itself; cancelled, it ends at once. Default: 1. */
  readonly afterMs?: number;
  /** Default: it succeeds, and answers nothing. */
  readonly end?:
    | { readonly status: 'SUCCEEDED'; readonly result: unknown }
    | { readonly status: 'FAILED'; readonly code: string };
}

export interface MemoryChild {
  readonly kind: string;
  readonly input: unknown;
  /** Absent while it is open. */
  end?: ChildEnd;
}

export interface MemoryChildrenOptions {
  readonly timer: (ms: number, fire: () => void) => () => void;
  readonly fateOf: (input: unknown, index: number) => ChildFate;
  /** The last open one of a step has ended. */
  readonly onEnded: () => void;
}

export interface MemoryChildren extends ChildJobs {
  /** All that were started, in order. */
  readonly started: readonly MemoryChild[];
}

const AFTER_MS = 1;

export function createMemoryChildren({ timer, fateOf, onEnded }: MemoryChildrenOptions): MemoryChildren {
  const started: MemoryChild[] = [];
  const byEffect = new Map<string, MemoryChild[]>();
  const of = (parent: ChildrenRef): MemoryChild[] => byEffect.get(effectKeyOf(parent.job.id, parent)) ?? [];
  const finish = (siblings: readonly MemoryChild[], child: MemoryChild, end: ChildEnd): void => {
    if (child.end) return;
    child.end = end;
    if (siblings.every((sibling) => sibling.end)) onEnded();
  };

  return {
    started,
    async start(_tx, parent, definition, inputs) {
      const siblings = inputs.map((input): MemoryChild => ({
        kind: definition.kind,
        input: parsed(definition, input),
      }));
      byEffect.set(effectKeyOf(parent.job.id, parent), siblings);
      siblings.forEach((child, index) => {
        started.push(child);
        const { afterMs = AFTER_MS, end } = fateOf(child.input, index);
        timer(afterMs, () => finish(siblings, child, childEndOf(end)));
      });
    },
    async look(parent, { many }) {
      const siblings = of(parent);
      const count = (status: ChildEnd['status']): number =>
        siblings.filter(({ end }) => end?.status === status).length;
      const look: ChildrenLook = {
        open: siblings.filter(({ end }) => !end).length,
        succeeded: count('SUCCEEDED'),
        failed: count('FAILED'),
        cancelled: count('CANCELLED'),
      };
      const [only] = siblings;
      return many || !only?.end ? look : { ...look, end: only.end };
    },
    async cancel(parent, reason) {
      const siblings = of(parent);
      const error = { code: 'cancelled', title: 'Cancelled on request', detail: reason };
      for (const child of siblings) finish(siblings, child, { jobId: CHILD, status: 'CANCELLED', error });
    },
  };
}

const CHILD = '00000000-0000-7000-8000-000000000003';

function childEndOf(end: ChildFate['end']): ChildEnd {
  if (end?.status !== 'FAILED') return { jobId: CHILD, status: 'SUCCEEDED', result: end?.result };
  const error = { code: end.code, title: 'The job failed', detail: end.code };
  return { jobId: CHILD, status: 'FAILED', error };
}

function parsed(definition: AnyJobDefinition, input: unknown): unknown {
  return (definition.input as { parse(value: unknown): unknown }).parse(input);
}
