/** What is still to come, whoever has given it up: calls that hang, and workers that were taken for lost. */
import type { VirtualClock } from '../memory/clock.js';
import type { EffectRef } from '../protocol.js';
import type { Choices } from './choices.js';
import { NOT_YET, NOW } from './faults.js';
import { factNameOf } from './truth.js';

interface Arrival {
  readonly ref: EffectRef;
  readonly come: () => void;
}

export class Late {
  /** Whether anything has come. */
  hasCome = false;
  private readonly arrivals = new Set<Arrival>();

  constructor(
    private readonly clock: VirtualClock,
    private readonly choices: Choices,
  ) {}

  get areAny(): boolean {
    return this.arrivals.size > 0;
  }

  /** `come` is called once, at the latest after so long. */
  promise(ref: EffectRef, come: () => void, atLatestMs: number): void {
    const arrival = { ref, come };
    this.arrivals.add(arrival);
    this.clock.timer(atLatestMs, () => this.arrive(arrival));
  }

  /** Before anything is done about an effect, what is late there may come. */
  offer(ref: EffectRef): void {
    if (!this.areAny) return;
    const name = factNameOf(ref);
    for (const arrival of this.arrivals) if (factNameOf(arrival.ref) === name) this.offerOne(arrival, name);
  }

  offerAll(): void {
    for (const arrival of this.arrivals) this.offerOne(arrival, factNameOf(arrival.ref));
  }

  private offerOne(arrival: Arrival, name: string): void {
    if (this.choices.choose(() => `what is late of ${name} comes`, [NOT_YET, NOW]) === NOW)
      this.arrive(arrival);
  }

  private arrive(arrival: Arrival): void {
    if (!this.arrivals.delete(arrival)) return;
    this.hasCome = true;
    arrival.come();
  }
}
