/** What happens in a run, and when: a pure function of the seed, so that a run can be had again. */
import { seededRandom } from '../../libs/saga/memory/random.js';
import type { Draw, KindPlan } from './kinds/kind.js';

/** A disturbance of one process, named as the supervisor names it. */
export interface Fault {
  readonly atMs: number;
  /**
   * `kill`: SIGKILL, once. `freeze`: SIGSTOP, and SIGCONT after `forMs`. `down`: asked to end, as often as it is
   * started again, for `forMs`. `crash`: the same with SIGKILL.
   */
  readonly act: 'kill' | 'freeze' | 'down' | 'crash';
  readonly target: string;
  readonly forMs: number;
}

/** One job a client asks for, and what else it does about it. */
export interface JobPlan {
  readonly number: number;
  readonly atMs: number;
  readonly kind: string;
  readonly tenant: string;
  readonly input: unknown;
  /** Asked for so long after the acceptance. */
  readonly cancelAfterMs?: number;
  /** The same request again so long after the first was sent: under the same Idempotency-Key, or as an equal job. */
  readonly again?: { readonly afterMs: number; readonly under: 'same key' | 'new key' };
}

export interface Plan {
  readonly seed: number;
  readonly jobs: readonly JobPlan[];
  readonly faults: readonly Fault[];
}

export interface PlanOptions {
  readonly seed: number;
  readonly jobs: number;
  /** Between two submissions, on average. */
  readonly everyMs: number;
  /** Between two faults, on average; undefined: no faults. */
  readonly faultEveryMs: number | undefined;
  /** Which processes there are. */
  readonly workers: readonly string[];
  readonly tenants: readonly string[];
  readonly kinds: readonly KindPlan[];
}

const CANCELLED_SHARE = 0.12;
const CANCEL_AFTER_MOST_MS = 4_000;
const AGAIN_SHARE = 0.1;
const AGAIN_AFTER_MOST_MS = 3_000;
const FIRST_FAULT_MS = 1_500;
/** Faults go on so long after the last submission: the backlog is disturbed, too. */
const TAIL_MS = 10_000;
const SERVER_AWAY_MS = { least: 1_000, most: 5_000 } as const;
const WORKER_FROZEN_MS = { least: 1_000, most: 15_000 } as const;
/** A server that was away is left alone so long, or nothing would ever get done. */
const SERVER_REST_MS = 6_000;
const JOBS_STREAM = 0x6a6f62;
const FAULTS_STREAM = 0x666c74;

interface Card {
  readonly act: Fault['act'];
  readonly target: 'worker' | 'relay' | 'api' | 'postgres' | 'temporal' | 'sandbox-provider';
}

/** Dealt without putting back, so that a run of a few dozen faults has some of every sort. */
const DECK: readonly Card[] = [
  ...Array<Card>(9).fill({ act: 'kill', target: 'worker' }),
  ...Array<Card>(2).fill({ act: 'freeze', target: 'worker' }),
  ...Array<Card>(2).fill({ act: 'kill', target: 'relay' }),
  ...Array<Card>(2).fill({ act: 'kill', target: 'api' }),
  { act: 'kill', target: 'sandbox-provider' },
  { act: 'freeze', target: 'sandbox-provider' },
  ...(['postgres', 'temporal'] as const).flatMap((target): Card[] => [
    { act: 'down', target },
    { act: 'crash', target },
    { act: 'freeze', target },
  ]),
];

/** The plan of a seed. Jobs and faults are drawn apart: more kinds make other jobs, not other faults. */
export function planOf(options: PlanOptions): Plan {
  return { seed: options.seed, jobs: planJobs(options), faults: planFaults(options) };
}

function planJobs({ seed, jobs, everyMs, tenants, kinds }: PlanOptions): JobPlan[] {
  const draw = drawFrom(seed, JOBS_STREAM);
  const counts = new Map<string, number>();
  return Array.from({ length: jobs }, (_, index) => {
    const kind = draw.weighted(kinds);
    const number = (counts.get(kind.kind) ?? 0) + 1;
    counts.set(kind.kind, number);
    const job: JobPlan = {
      number: index + 1,
      atMs: Math.round(everyMs * (index + draw.between(0, 1))),
      kind: kind.kind,
      tenant: draw.oneOf(tenants),
      input: kind.input(number, draw),
    };
    const cancelAfterMs = draw.chance(CANCELLED_SHARE)
      ? draw.whole(0, CANCEL_AFTER_MOST_MS * draw.between(0, 1))
      : undefined;
    const again = draw.chance(AGAIN_SHARE)
      ? {
          afterMs: draw.whole(0, AGAIN_AFTER_MOST_MS),
          under: draw.oneOf(['same key', 'new key'] as const),
        }
      : undefined;
    return {
      ...job,
      ...(cancelAfterMs === undefined ? {} : { cancelAfterMs }),
      ...(again === undefined ? {} : { again }),
    };
  });
}

function planFaults({ seed, jobs, everyMs, faultEveryMs, workers }: PlanOptions): Fault[] {
  if (faultEveryMs === undefined) return [];
  const draw = drawFrom(seed, FAULTS_STREAM);
  const untilMs = jobs * everyMs + TAIL_MS;
  const busyUntilMs = new Map<string, number>();
  const faults: Fault[] = [];
  let deck: Card[] = [];
  for (let at = FIRST_FAULT_MS; at < untilMs; at += draw.between(0.4, 1.6) * faultEveryMs) {
    const atMs = Math.round(at);
    const isFree = (target: string): boolean => (busyUntilMs.get(target) ?? 0) <= atMs;
    const freeOf = (card: Card): string[] =>
      (card.target === 'worker' ? workers : [card.target]).filter(isFree);
    if (deck.length === 0) deck = shuffled(DECK, draw);
    const index = deck.findIndex((card) => freeOf(card).length > 0);
    const [card] = index < 0 ? [] : deck.splice(index, 1);
    if (card === undefined) continue;
    const target = draw.oneOf(freeOf(card));
    const { least, most } = card.target === 'worker' ? WORKER_FROZEN_MS : SERVER_AWAY_MS;
    const forMs = card.act === 'kill' ? 0 : draw.whole(least, most);
    busyUntilMs.set(target, atMs + forMs + (card.act === 'kill' ? 0 : SERVER_REST_MS));
    faults.push({ atMs, act: card.act, target, forMs });
  }
  return faults;
}

function shuffled<T>(values: readonly T[], draw: Draw): T[] {
  const order = values.map((value) => ({ value, place: draw.between(0, 1) }));
  return order.sort((one, other) => one.place - other.place).map(({ value }) => value);
}

function drawFrom(seed: number, stream: number): Draw {
  const random = seededRandom(Math.imul(seed + 1, 0x9e3779b1) ^ stream);
  const between = (least: number, most: number): number => least + random() * (most - least);
  return {
    between,
    whole: (least, most) => Math.round(between(least, most)),
    chance: (share) => random() < share,
    oneOf: (values) => at(values, Math.floor(random() * values.length)),
    weighted(values) {
      let left = random() * values.reduce((sum, { weight }) => sum + weight, 0);
      return values.find(({ weight }) => (left -= weight) < 0) ?? at(values, values.length - 1);
    },
  };
}

function at<T>(values: readonly T[], index: number): T {
  const value = values[index];
  if (value === undefined) throw new RangeError('There is nothing to choose from.');
  return value;
}
