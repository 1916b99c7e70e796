/** What the mailbox does wrong on purpose: the first fault that fits a command decides, and is used up by it. */
import { z } from 'zod';

const TIMES_MAX = 1_000_000;

/**
 * `connect`: its greeting; `mail`, `rcpt`: the envelope; `data`: the end of a message. A reply is sent instead of 250;
 * `drop` cuts the connection, at `data` after the message was taken, so that nobody hears of it.
 */
export const Fault = z
  .strictObject({
    at: z.enum(['connect', 'mail', 'rcpt', 'data']),
    /** A recipient; of all where there is none. */
    to: z.string().max(320).optional(),
    reply: z
      .string()
      .regex(/^[45]\d\d [^\r\n]{1,200}$/, 'must be a reply, e.g. 550 5.1.1 No such user')
      .optional(),
    drop: z.literal(true).optional(),
    times: z.int().min(1).max(TIMES_MAX).default(1),
  })
  .refine(({ reply, drop }) => (reply === undefined) !== (drop === undefined), 'name either a reply or drop');
export type Fault = z.output<typeof Fault>;
export type FaultPoint = Fault['at'];

export interface FaultPlan {
  add(fault: Fault): void;
  clear(): void;
  list(): readonly Fault[];
  /** The fault that happens now, used up by one. */
  take(at: FaultPoint, to: readonly string[]): Fault | undefined;
}

export function createFaultPlan(): FaultPlan {
  let faults: Fault[] = [];
  return {
    add: (fault) => void faults.push(fault),
    clear: () => void (faults = []),
    list: () => faults,
    take(at, to) {
      const found = faults.find(
        (fault) => fault.at === at && (fault.to === undefined || to.includes(fault.to)),
      );
      if (!found) return undefined;
      const rest = { ...found, times: found.times - 1 };
      faults = faults.flatMap((fault) => (fault !== found ? [fault] : rest.times > 0 ? [rest] : []));
      return found;
    },
  };
}
