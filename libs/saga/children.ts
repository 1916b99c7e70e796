/**
 * Steps that are jobs of their own: `child` is one, `children` are as many as there are inputs. They are accepted in the
 * step's transaction, so all or none, and exactly once; the step is done when they have ended, however they did. Taken
 * back, it cancels those still open and waits for their ends. What of a finished one must be taken back is for an `undo`
 * of the author's, which runs after that. `retriableChild` and `retriableChildren` are those past the commit point, which
 * nothing takes back (S7).
 */
import { z } from 'zod';
import {
  buildStep,
  type AnyJobDefinition,
  type Children,
  type Pool,
  type RetryPolicy,
  type Step,
} from './define.js';
import { Count } from './values.js';

/** The undo of a step whose author declares none: nothing is left to do once no child is open. */
export const CANCEL_CHILDREN = 'cancelChildren';

type NoArgs = z.ZodUndefined;

interface RetriableChildrenOptions<D, A extends z.ZodType> {
  /** The kind they are of. Their inputs, which the implementation answers, are checked against its schema. */
  readonly of: D;
  readonly args?: A;
  readonly pool: Pool;
  readonly summary?: string;
}

interface ChildrenOptions<D, A extends z.ZodType, U extends string> extends RetriableChildrenOptions<D, A> {
  /** Takes back what finished children did; it is told how they ended, and works in a transaction of our own. */
  readonly undo?: U;
  readonly undoRetry?: Partial<RetryPolicy>;
}

/** A step with children; what its implementation answers are their inputs. */
export interface ChildrenStep<
  D extends AnyJobDefinition,
  M extends boolean,
  A extends z.ZodType,
  O extends z.ZodType,
  U extends string,
> extends Omit<Step<'compensable', A, O, U, never, false>, 'children'> {
  readonly children: Children<D, M>;
}

/** One past the commit point. */
export interface RetriableChildrenStep<
  D extends AnyJobDefinition,
  M extends boolean,
  A extends z.ZodType,
  O extends z.ZodType,
> extends Omit<Step<'retriable', A, O, never, never, false>, 'children'> {
  readonly children: Children<D, M>;
}

const ChildCounts = z.strictObject({ total: Count, succeeded: Count, failed: Count, cancelled: Count });
/** How many children ended how. */
export type ChildCounts = z.output<typeof ChildCounts>;

const ChildError = z.looseObject({ code: z.string(), title: z.string(), detail: z.string() });
/** Why a child did not succeed: what its terminal record says. */
export type ChildError = z.output<typeof ChildError>;

/** How the one child of a step ended: what it answered, or why it did not. */
export type ChildEnd<R = unknown> =
  | { readonly jobId: string; readonly status: 'SUCCEEDED'; readonly result: R }
  | {
      readonly jobId: string;
      readonly status: 'FAILED' | 'CANCELLED';
      readonly error: ChildError;
    };

function childEndOf(of: AnyJobDefinition): z.ZodType {
  const jobId = z.uuid();
  return z.union([
    z.strictObject({ jobId, status: z.literal('SUCCEEDED'), result: of.result as z.ZodType }),
    z.strictObject({ jobId, status: z.enum(['FAILED', 'CANCELLED']), error: ChildError }),
  ]);
}

// `NoInfer`: or what is left out were inferred from where the step is put, which takes anything.
/** One job of another kind; the step answers how it ended. A child that failed does not fail the step: throw `Rejected` where it should. */
export function child<
  D extends AnyJobDefinition,
  A extends z.ZodType = NoArgs,
  const U extends string = typeof CANCEL_CHILDREN,
>(
  options: ChildrenOptions<D, A, U>,
): ChildrenStep<D, false, NoInfer<A>, z.ZodType<ChildEnd<z.output<D['result']>>>, NoInfer<U>> {
  return buildChildren(options, childEndOf(options.of) as z.ZodType<ChildEnd<z.output<D['result']>>>, false);
}

/** A job of another kind for each input; the step answers how many ended how. */
export function children<
  D extends AnyJobDefinition,
  A extends z.ZodType = NoArgs,
  const U extends string = typeof CANCEL_CHILDREN,
>(options: ChildrenOptions<D, A, U>): ChildrenStep<D, true, NoInfer<A>, typeof ChildCounts, NoInfer<U>> {
  return buildChildren(options, ChildCounts, true);
}

/** As `child`, past the commit point: a cancel or the deadline does not reach it any more, and nothing undoes it. */
export function retriableChild<D extends AnyJobDefinition, A extends z.ZodType = NoArgs>(
  options: RetriableChildrenOptions<D, A>,
): RetriableChildrenStep<D, false, NoInfer<A>, z.ZodType<ChildEnd<z.output<D['result']>>>> {
  const output = childEndOf(options.of) as z.ZodType<ChildEnd<z.output<D['result']>>>;
  return buildRetriableChildren(options, output, false);
}

/** As `children`, past the commit point: a cancel or the deadline does not reach them any more, and nothing undoes them. */
export function retriableChildren<D extends AnyJobDefinition, A extends z.ZodType = NoArgs>(
  options: RetriableChildrenOptions<D, A>,
): RetriableChildrenStep<D, true, NoInfer<A>, typeof ChildCounts> {
  return buildRetriableChildren(options, ChildCounts, true);
}

function buildRetriableChildren<
  D extends AnyJobDefinition,
  A extends z.ZodType,
  O extends z.ZodType,
  M extends boolean,
>({ of, ...base }: RetriableChildrenOptions<D, A>, output: O, many: M): RetriableChildrenStep<D, M, A, O> {
  const children = { of, many };
  return buildStep('retriable', { ...base, output }, { effect: 'own', holds: false, children }) as Step<
    'retriable',
    A,
    O,
    never,
    never,
    false
  > & { children: Children<D, M> };
}

function buildChildren<
  D extends AnyJobDefinition,
  A extends z.ZodType,
  O extends z.ZodType,
  U extends string,
  M extends boolean,
>(
  { of, undo, undoRetry, ...base }: ChildrenOptions<D, A, U>,
  output: O,
  many: M,
): ChildrenStep<D, M, A, O, U> {
  return buildStep(
    'compensable',
    { ...base, output },
    {
      effect: 'own',
      undo: undo ?? CANCEL_CHILDREN,
      undoRetry,
      holds: false,
      children: { of, many },
    },
  ) as unknown as ChildrenStep<D, M, A, O, U>;
}
