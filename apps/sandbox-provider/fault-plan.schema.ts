/** What a fault plan looks like: which requests go wrong, and how. It is set over HTTP, and kept over restarts. */
import { z } from 'zod';

/**
 * What may go wrong with one request. `before` and `after` say whether the work was done.
 * `slow` does it late, whether or not the caller still waits · `error` answers 500 · `drop` resets the connection ·
 * `cut_after` ends within its answer · `too_many` is a 429 with Retry-After · `reject` a 422, without looking ·
 * `hang` never answers.
 */
export const FAULT_MODES = [
  'slow',
  'error_before',
  'error_after',
  'drop_before',
  'drop_after',
  'cut_after',
  'too_many',
  'reject',
  'hang_before',
  'hang_after',
] as const;
export type FaultMode = (typeof FAULT_MODES)[number];

/** The requests that can go wrong. */
export const FAULT_ROUTES = ['transfer', 'find', 'burn', 'screen', 'refund'] as const;
export type FaultRoute = (typeof FAULT_ROUTES)[number];

const RULES_MAX = 1_000;
const TIMES_MAX = 1_000_000;
const SLOW_MS_MAX = 120_000;
const RETRY_AFTER_SECONDS_MAX = 3_600;
const TEXT_MAX = 255;

const Text = z.string().min(1).max(TEXT_MAX);

/** One request, or several, that go wrong for certain. Everything named must match. */
const Rule = z.strictObject({
  on: z.enum(FAULT_ROUTES).default('transfer'),
  match: z
    .strictObject({
      recipient: Text.optional(),
      reference: Text.optional(),
      key: Text.optional(),
      /** The nth request on that route since the plan was set, from 1. */
      nth: z.int().positive().optional(),
    })
    .refine((match) => Object.keys(match).length > 0, 'names nothing: give recipient, reference, key or nth'),
  mode: z.enum(FAULT_MODES),
  times: z.int().positive().max(TIMES_MAX).default(1),
});

/** The first rule that matches and has times left decides; else the probabilities do. */
export const FaultPlan = z.strictObject({
  /** The same seed, the same faults: by route, key and how often it came, not by who came first. */
  seed: z.int().nonnegative().default(0),
  /** Where the probabilities apply. */
  on: z.array(z.enum(FAULT_ROUTES)).default(['transfer']),
  probabilities: z
    .partialRecord(z.enum(FAULT_MODES), z.number().min(0).max(1))
    .default({})
    .refine((each) => Object.values(each).reduce((sum, one) => sum + one, 0) <= 1 + 1e-9, 'add up to over 1'),
  rules: z.array(Rule).max(RULES_MAX).default([]),
  slowMs: z.int().nonnegative().max(SLOW_MS_MAX).default(2_000),
  retryAfterSeconds: z.int().nonnegative().max(RETRY_AFTER_SECONDS_MAX).default(1),
  /** Off, idempotency keys are ignored: who asks twice pays twice. */
  duplicateDetection: z.boolean().default(true),
});
export type FaultPlan = z.output<typeof FaultPlan>;

/** No faults. */
export const FAULTLESS: FaultPlan = FaultPlan.parse({});
