/** The workers that attempts run on: each can be taken for lost, and be frozen and go on much later. */
import { attempt } from '../attempt/attempt.js';
import type { Host, Kind, World } from '../attempt/world.js';
import type { VirtualClock } from '../memory/clock.js';
import type { Hosting } from '../memory/runtime.js';
import { MemoryController } from '../memory/signal.js';
import type { EffectRef, Request } from '../protocol.js';
import type { Choices } from './choices.js';
import * as F from './faults.js';
import { FaultyLedger, type Worker } from './faulty-ledger.js';
import type { Late } from './late.js';
import { Lifeline } from './lifeline.js';
import { factNameOf } from './truth.js';

/** Longer than anything waits for it: nothing but the ledger can refuse it. */
const FROZEN_MS = 7_200_000;

export class Workers {
  /** Of attempts in the air, by their effects: how they are lost. */
  private readonly losing = new Map<string, () => void>();

  constructor(
    private readonly base: World,
    private readonly clock: VirtualClock,
    private readonly choices: Choices,
    private readonly late: Late,
  ) {}

  /** Whether an attempt at this effect is in the air. */
  has(fact: string): boolean {
    return this.losing.has(fact);
  }

  /** The server gives the attempt's worker up; nothing of it is heard any more. */
  lose(fact: string): void {
    this.losing.get(fact)?.();
  }

  /** An attempt that was called off and may begin all the same, at once or late. */
  straggle(kind: Kind, request: Request): void {
    const where = (): string => `step ${factNameOf(request)}, called off,`;
    if (this.choices.choose(where, F.CALLED_OFF_FAULTS) !== F.HANDED_OUT) return;
    const host: Host = {
      attempt: request.attemptsMax,
      signal: AbortSignal.abort(),
      isCancelled: () => true,
      heartbeat: () => undefined,
      ready: async () => undefined,
    };
    const world = { ...this.host(request).world, observe: () => undefined };
    this.late.promise(request, () => void attempt(kind, request, host, world), FROZEN_MS);
    this.late.offer(request);
  }

  host(request: Request): Hosting {
    const { base, clock, losing } = this;
    const name = factNameOf(request);
    const lifeline = new Lifeline();
    const lose = (): void => {
      lifeline.isLost = true;
      if (losing.get(name) === lose) losing.delete(name);
      lifeline.giveUp();
    };
    losing.set(name, lose);
    const worker: Worker = {
      name: `${request.role} ${name}`,
      lose,
      freeze: (ref: EffectRef) => {
        lifeline.giveUp();
        return new Promise((thaw) => this.late.promise(ref, thaw, FROZEN_MS));
      },
      lifeline,
    };
    const world: World = {
      ...base,
      timer: (ms, fire) => clock.timer(ms, () => (lifeline.isLost ? undefined : fire())),
      observe: (event) => (lifeline.isLost ? undefined : base.observe(event)),
      ledger: new FaultyLedger(base.ledger, this.choices, worker),
    };
    return { world, openController, hear: (reporting) => lifeline.until(reporting, 'lost') };
  }
}

/** Fakes only ask or listen whether they are to end. */
function openController(): AbortController {
  return new MemoryController() as unknown as AbortController;
}
