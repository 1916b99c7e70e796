/** Which fault a request meets: decided by the plan and the request alone, so that the same run goes wrong the same way. */
import { createHash } from 'node:crypto';
import { FAULT_MODES, type FaultMode, type FaultPlan, type FaultRoute } from './fault-plan.schema.js';

/** What is known of a request when its fault is decided. */
export interface FaultSubject {
  readonly route: FaultRoute;
  /** The idempotency key; of a screening the recipient, of a refund the transfer. */
  readonly key: string;
  readonly recipient?: string | undefined;
  readonly reference?: string | undefined;
}

export interface FaultDecision {
  readonly mode: FaultMode;
  /** The rule that decided, by its place in the plan; undefined: chance. */
  readonly rule?: number;
}

/**
 * The fault, if any. `nth`: of this route since the plan was set; `seen`: of this route and key; both from 1.
 * `used`: how often each rule has decided before.
 */
export function decideFault(
  plan: FaultPlan,
  subject: FaultSubject,
  { nth, seen, used }: { nth: number; seen: number; used: readonly number[] },
): FaultDecision | undefined {
  const facts: Readonly<Record<string, unknown>> = { ...subject, nth };
  const index = plan.rules.findIndex(
    ({ on, match, times }, rule) =>
      on === subject.route &&
      (used[rule] ?? 0) < times &&
      Object.entries(match).every(([name, value]) => facts[name] === value),
  );
  const rule = plan.rules[index];
  if (rule) return { mode: rule.mode, rule: index };
  if (!plan.on.includes(subject.route)) return undefined;
  let chance = chanceOf(`${plan.seed}\n${subject.route}\n${subject.key}\n${seen}`);
  for (const mode of FAULT_MODES) {
    chance -= plan.probabilities[mode] ?? 0;
    if (chance < 0) return { mode };
  }
  return undefined;
}

const CHANCE_BYTES = 6;

/** A number in [0, 1), the same for the same text. */
function chanceOf(text: string): number {
  const digest = createHash('sha256').update(text).digest();
  return digest.readUIntBE(0, CHANCE_BYTES) / 2 ** (8 * CHANCE_BYTES);
}
