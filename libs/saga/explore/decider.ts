/** The person where a saga is parked: what can be decided there, and the world made as the decision says. */
import { isElsewhere, type AnyJobDefinition, type AnyStep } from '../define.js';
import type { Interpretation } from '../interpreter/interpreter.js';
import type { VirtualClock } from '../memory/clock.js';
import type { EffectRow, MemoryLedger } from '../memory/ledger.js';
import { effectKeyOf, itemOf, type DeadLetter, type EffectRef, type Request } from '../protocol.js';
import type { Option } from './choices.js';
import type { Tell } from './events.js';
import type { FakeOutput } from './fake-kind.js';
import { busyUntil, decisionsAt, type DecisionOption } from './operator.js';
import { factNameOf, type Deed, type Truth } from './truth.js';

export interface DecidersWorld {
  readonly definition: AnyJobDefinition;
  readonly outputs: Readonly<Record<string, FakeOutput>>;
  readonly jobId: string;
  readonly clock: VirtualClock;
  readonly truth: Truth;
  readonly ledger: () => MemoryLedger;
  readonly tell: Tell;
}

export class Decider {
  /** What is stored with decisions. */
  private readonly values = new Map<string, unknown>();
  /** What each effect was asked with. */
  private readonly argsOf = new Map<string, unknown>();

  constructor(private readonly world: DecidersWorld) {}

  valueOf(decisionId: string): unknown {
    return this.values.get(decisionId);
  }

  note(request: Request): void {
    if (request.role === 'step') this.argsOf.set(factNameOf(request), request.args);
  }

  optionsAt(letter: DeadLetter): Option[] {
    const { truth, outputs } = this.world;
    const step = this.stepOf(letter);
    return decisionsAt({
      letter,
      step,
      isLive: truth.facts.get(factNameOf(letter))?.live === true,
      isBusy: isElsewhere(step.effect) && this.busyUntil(letter) !== undefined,
      isAnswered: outputs[letter.step] !== undefined,
    });
  }

  /** When the time of a decision is over or, where there is none, when no attempt may act any more. */
  waitsUntil(letter: DeadLetter): number | undefined {
    return letter.until === undefined ? this.busyUntil(letter) : Date.parse(letter.until);
  }

  decide(saga: Interpretation, letter: DeadLetter, chosen: DecisionOption): void {
    const { decision, corrects } = chosen;
    const wish = {
      id: `decision ${this.values.size + 1}`,
      park: letter.number,
      decision,
      ...(corrects ? { corrects } : {}),
    };
    const refusal = saga.refusalOf(wish);
    if (refusal !== undefined) throw new Error(`A decision that is possible is refused: ${refusal}`);
    this.world.tell({ kind: 'decision', letter, chosen });
    if (decision === 'resolve') this.doOutside(letter);
    const args = this.argsOf.get(factNameOf(letter));
    this.values.set(wish.id, corrects ? args : decision === 'resolve' ? this.outputOf(letter) : undefined);
    saga.decide(wish);
  }

  /** As the step would have done it: under its key, where keys are honoured, so that its undo finds it. */
  private doOutside(letter: DeadLetter): void {
    const { truth, jobId } = this.world;
    const { effect } = this.stepOf(letter);
    if (effect === 'none') return;
    const ref = { step: letter.step, ...itemOf(letter), generation: letter.generation };
    const deed: Deed = { ref, effect, key: effectKeyOf(jobId, ref) };
    if (!truth.isLive(deed)) truth.apply(deed);
  }

  private outputOf(letter: DeadLetter): unknown {
    const { step, item, generation } = letter;
    return this.world.outputs[step]?.(this.argsOf.get(factNameOf(letter)), { item, generation });
  }

  private busyUntil(letter: DeadLetter): number | undefined {
    return busyUntil(this.rowOf(letter), this.world.clock.now());
  }

  private rowOf({ step, item, generation }: EffectRef): EffectRow | undefined {
    for (const row of this.world.ledger().rows.values())
      if (row.step === step && row.item === item && row.generation === generation) return row;
    return undefined;
  }

  private stepOf({ step }: DeadLetter): AnyStep {
    return (this.world.definition.steps as Readonly<Record<string, AnyStep>>)[step] as AnyStep;
  }
}
