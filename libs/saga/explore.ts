/**
 * `explore`: every schedule of failures of a saga, up to a bound, run in memory against a world that keeps the truth.
 * Fewer departures are tried before more, so what it finds cannot be told more shortly.
 */
import type { z } from 'zod';
import type { AnyJobDefinition, AnyStep, ArgsOf, OutputOf } from './define.js';
import {
  Choices,
  departuresOf,
  STRAIGHT,
  type Budget,
  type Departure,
  type Schedule,
} from './explore/choices.js';
import { createFakeKind, type FakeOutput } from './explore/fake-kind.js';
import { createInspector, type Violation } from './explore/invariants.js';
import { createPace } from './explore/pace.js';
import { quickly } from './explore/quick-start.js';
import { runSchedule, type Subject } from './explore/run-schedule.js';
import { createStory } from './explore/story.js';

export type { Budget, Departure } from './explore/choices.js';

/** An input, and what each step answers to it when it goes well. A step that answers nothing may be left out. */
export interface Fakes<D extends AnyJobDefinition> {
  readonly input: z.input<D['input']>;
  readonly outputs: {
    readonly [N in keyof D['steps']]?: (
      args: ArgsOf<D['steps'][N]>,
      context: { item: number | undefined; generation: number },
    ) => OutputOf<D['steps'][N]>;
  };
}

export interface ExploreOptions {
  /** What one schedule may use up. Default: two faults, one cancel, the deadline, two decisions. */
  readonly budget?: Partial<Budget>;
  /** Departures in one schedule: faults, cancel, deadline and decisions together. Default: 3. */
  readonly departuresMax?: number;
  /** Of each step and undo: more attempts only repeat what two show. */
  readonly attemptsMax?: number;
  /** After how many steps and undos begun the saga goes on in a new run, as after some thousand events. Default: never. */
  readonly continueAfter?: number;
  /** Runs this one alone. */
  readonly replay?: readonly Departure[];
}

export interface Exploration {
  readonly schedules: number;
  /** Of the process's processor time, which a busy machine does not stretch. */
  readonly schedulesPerSecond: number;
  /** Of the latter half alone, when V8 has compiled what runs most. */
  readonly laterPerSecond: number;
}

/** A schedule in which an invariant does not hold; none with fewer departures does that. */
export class SagaViolation extends Error {
  readonly invariant: string;
  /** For {@link ExploreOptions.replay}. */
  readonly choices: readonly Departure[];
  readonly story: readonly string[];
  /** How many were run until it was found. */
  readonly schedules: number;

  constructor(
    kind: string,
    { invariant, detail }: Violation,
    found: { choices: readonly Departure[]; story: readonly string[]; schedules: number },
  ) {
    const replay = `replay: ${JSON.stringify(found.choices)}`;
    super([`${kind} violates ${invariant}: ${detail}`, ...found.story, replay].join('\n'));
    this.name = 'SagaViolation';
    this.invariant = invariant;
    this.choices = found.choices;
    this.story = found.story;
    this.schedules = found.schedules;
  }
}

const BUDGET: Budget = { faults: 2, cancels: 1, deadlines: 1, decisions: 2 };
const DEPARTURES_MAX = 3;
const ATTEMPTS_MAX = 2;

/** Runs every schedule within the bound. Throws {@link SagaViolation} at the first that breaks a rule. */
export async function explore<D extends AnyJobDefinition>(
  definition: D,
  fakes: Fakes<D>,
  options: ExploreOptions = {},
): Promise<Exploration> {
  const { departuresMax = DEPARTURES_MAX, attemptsMax = ATTEMPTS_MAX, continueAfter, replay } = options;
  const budget = { ...BUDGET, ...options.budget };
  const explored = impatient(definition, attemptsMax);
  const subject: Subject = {
    definition: explored,
    fakes: createFakeKind(explored),
    input: (definition.input as z.ZodType).parse(fakes.input),
    outputs: fakes.outputs as Readonly<Record<string, FakeOutput>>,
    continueAfter,
  };
  return quickly(() => exploreAll(definition.kind, subject, { budget, departuresMax, replay }));
}

interface Bounds {
  readonly budget: Budget;
  readonly departuresMax: number;
  readonly replay: readonly Departure[] | undefined;
}

async function exploreAll(
  kind: string,
  subject: Subject,
  { budget, departuresMax, replay }: Bounds,
): Promise<Exploration> {
  const pace = createPace();
  let schedules = 0;
  let level: Schedule[] = [replay ? scheduleOf(replay) : STRAIGHT];
  for (let depth = 0; level.length > 0; depth += 1) {
    const next: Schedule[] = [];
    for (const schedule of level) {
      const choices = new Choices(schedule, budget, depth < departuresMax);
      const violation = await inspect(subject, choices);
      schedules += 1;
      pace.count();
      if (violation) {
        const story = await tellOf(subject, new Choices(schedule, budget));
        throw new SagaViolation(kind, violation, { choices: departuresOf(schedule), story, schedules });
      }
      if (replay) continue;
      // Another order of what comes anyway is no departure of its own: it is run with those of as many.
      for (const child of choices.children()) (child.isFree ? level : next).push(child.schedule);
    }
    level = next;
  }
  return { schedules, schedulesPerSecond: pace.perSecond(), laterPerSecond: pace.laterPerSecond() };
}

async function inspect(subject: Subject, choices: Choices): Promise<Violation | undefined> {
  const inspector = createInspector(subject.definition);
  return inspector.check(await runSchedule(subject, choices, inspector.tell));
}

async function tellOf(subject: Subject, choices: Choices): Promise<readonly string[]> {
  const story = createStory();
  choices.onDeparture = story.depart;
  await runSchedule(subject, choices, story.tell);
  return story.lines;
}

function scheduleOf(departures: readonly Departure[]): Schedule {
  return departures.reduce((parent: Schedule, departure) => ({ parent, departure }), STRAIGHT);
}

function impatient(definition: AnyJobDefinition, attempts: number): AnyJobDefinition {
  const atMost = (policy: AnyStep['retry']) => ({
    ...policy,
    attempts: Math.min(attempts, policy.attempts),
  });
  const steps = Object.entries(definition.steps as Readonly<Record<string, AnyStep>>).map(([name, step]) => [
    name,
    { ...step, retry: atMost(step.retry), undoRetry: atMost(step.undoRetry) },
  ]);
  return { ...definition, steps: Object.fromEntries(steps) as Readonly<Record<string, AnyStep>> };
}
