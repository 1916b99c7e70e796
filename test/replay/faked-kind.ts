/** An implementation of any kind from its steps' outputs, which does as a script tells it. */
import type { AnyJobDefinition, ArgsOf, OutputOf, Steps } from '../../libs/saga/define.js';
import type { Implementation } from '../../libs/saga/implement.js';

/** What one call does before (or after) its effect; it returns to let the call go on. */
export type Script = (call: Call) => Promise<void> | void;

export interface Call {
  /** From 1. */
  readonly attempt: number;
  readonly item: number | undefined;
  readonly generation: number;
  readonly signal: AbortSignal;
}

/** By the name of a step, an undo or a probe. */
export interface Scripts {
  readonly before?: Readonly<Record<string, Script>>;
  /** After the effect and before the answer: what is thrown here loses the answer. Of a holder: while it holds. */
  readonly after?: Readonly<Record<string, Script>>;
}

/** What each step answers when it goes well; one that answers nothing may be left out. */
export type Outputs<D extends AnyJobDefinition> = {
  readonly [N in keyof D['steps']]?: (args: ArgsOf<D['steps'][N]>, call: Call) => OutputOf<D['steps'][N]>;
};

type Answer = (args: unknown, call: Call) => unknown;
type Acting = (args: unknown, call: Call & { key: string }) => Promise<unknown>;

/** Fakes for one job: what took effect is remembered by its key, so that undos and probes tell the truth. */
export function fakeKind<D extends AnyJobDefinition>(
  definition: D,
  outputs: Outputs<D>,
  { before = {}, after = {} }: Scripts,
): Implementation<D> {
  const live = new Map<string, unknown>();
  const steps: Record<string, unknown> = {};
  const undos: Record<string, Acting> = {};
  const probes: Record<string, Acting> = {};
  for (const [name, step] of Object.entries(definition.steps as Steps)) {
    const answer = outputs[name] as Answer | undefined;
    const act: Acting = async (args, call) => {
      await before[name]?.(call);
      const output = live.get(call.key) ?? (step.children ? [] : answer?.(args, call));
      live.set(call.key, output);
      await after[name]?.(call);
      return output;
    };
    const hold = async (args: unknown, call: Call & { ready: (output: unknown) => Promise<void> }) => {
      await before[name]?.(call);
      await call.ready(answer?.(args, call));
      await (after[name] ?? untilAborted)(call);
    };
    steps[name] = step.holds ? hold : act;
    if (step.undo !== undefined)
      undos[step.undo as string] = async (_, call) => {
        await before[step.undo as string]?.(call);
        return live.delete(call.key) ? 'undone' : 'noop';
      };
    if (step.probe !== undefined)
      probes[step.probe as string] = async (_, call) => {
        await before[step.probe as string]?.(call);
        return live.has(call.key) ? { happened: true, output: live.get(call.key) } : { happened: false };
      };
  }
  return { steps, undos, probes } as unknown as Implementation<D>;
}

/** Resolves when the call is told to end. */
export async function untilAborted({ signal }: Call): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}
