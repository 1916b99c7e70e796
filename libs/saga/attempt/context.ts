/** What a step, an undo or a probe is given to work with. */
import type { Step } from '../define.js';
import type {
  CallContext,
  OwnTransaction,
  StepContext,
  StepProgress,
  Transaction,
  UndoContext,
} from '../implement.js';
import { textProblem } from '../payload.js';
import { effectKeyOf, type Request, type StepRequest, type UndoRequest } from '../protocol.js';
import type { Host } from './world.js';

/** The base of every context. */
export function callContext(
  request: Request,
  host: Host,
  input: unknown,
  signal: AbortSignal,
): CallContext<unknown> {
  return {
    job: request.job,
    input,
    key: effectKeyOf(request.job.id, request),
    item: request.item,
    generation: request.generation,
    attempt: request.before + host.attempt,
    signal,
    heartbeat: () => host.heartbeat(),
  };
}

export interface StepContextParts {
  readonly request: StepRequest;
  readonly host: Host;
  readonly input: unknown;
  readonly signal: AbortSignal;
  readonly report: (progress: StepProgress) => void;
  readonly onReady: (output: unknown) => void;
  readonly parseOutput: (output: unknown) => unknown;
  readonly tx: OwnTransaction | undefined;
}

export function stepContext(parts: StepContextParts): StepContext<unknown, Step> {
  const { request, host } = parts;
  return Object.assign(new Transactional(request.step, parts.tx), {
    ...callContext(request, host, parts.input, parts.signal),
    progress: parts.report,
    async ready(output: unknown) {
      if (request.token === undefined)
        throw new TypeError(`Step "${request.step}" is no holder; it returns its output`);
      const parsed = parts.parseOutput(output);
      parts.onReady(parsed);
      await host.ready({ token: request.token, output: parsed });
    },
  });
}

export function undoContext(
  request: UndoRequest,
  host: Host,
  input: unknown,
  signal: AbortSignal,
  tx: Transaction | undefined,
): UndoContext<unknown> {
  const base = callContext(request, host, input, signal);
  return Object.assign(new Transactional(request.step, tx), {
    ...base,
    undoKey: `${base.key}/undo`,
  });
}

/** A class, because an accessor in a literal gives every context a hidden class of its own, which outlives it for long. */
class Transactional<T extends Transaction> {
  readonly #step: string;
  readonly #tx: T | undefined;

  constructor(step: string, tx: T | undefined) {
    this.#step = step;
    this.#tx = tx;
  }

  get tx(): T {
    if (this.#tx) return this.#tx;
    throw new TypeError(`Step "${this.#step}" has no transaction; only steps with effect "own" do`);
  }
}

/** A transaction every door of which closes with the attempt: code that runs on after it cannot touch the next one's. */
export function guarded<T extends Transaction>(tx: T): { readonly tx: T; readonly close: () => void } {
  let isOpen = true;
  return {
    tx: new Proxy(tx, {
      get: (target, name) => {
        const door = Reflect.get(target, name) as (...values: unknown[]) => Promise<unknown>;
        return async (...values: unknown[]) => {
          if (!isOpen) throw new Error('The transaction of this attempt is over');
          return door.apply(target, values);
        };
      },
    }),
    close: () => {
      isOpen = false;
    },
  };
}

/** Checks an output against its schema and size, and gives it the shape it has after travelling (S14). */
export function parseOutput(step: Step, label: string, output: unknown): unknown {
  const parsed = step.output.safeParse(output);
  if (!parsed.success) {
    throw new TypeError(`The output of step "${label}" does not fit its schema: ${parsed.error.message}`);
  }
  const text = JSON.stringify(parsed.data) as string | undefined;
  const tooLarge = textProblem(`The output of step "${label}"`, text);
  if (tooLarge) throw new TypeError(tooLarge);
  return text === undefined ? undefined : (JSON.parse(text) as unknown);
}

/** A value as it comes out of JSON. */
export function travelled(value: unknown): unknown {
  return value === undefined || value === null ? value : (JSON.parse(JSON.stringify(value)) as unknown);
}
