/** The provider's API: what each route does, without a word about sockets. */
import { z } from 'zod';
import { invalid, json, refusal, type Answer, type JsonAnswer } from './answer.js';
import { readAudit, readBalances } from './audit.store.js';
import { underFault } from './fault-injection.js';
import type { FaultSubject } from './fault-plan.js';
import { FaultPlan } from './fault-plan.schema.js';
import type { FaultsStore } from './faults.store.js';
import type { DatabaseSync } from './provider.database.js';
import { handleTransfer, IN_FLIGHT, Name, type InFlight } from './transfer.handler.js';
import type { TransfersStore } from './transfers.store.js';

const RECIPIENTS_MAX = 10_000;
const PAGE_DEFAULT = 100;
const PAGE_MAX = 1_000;

const Recipients = z.strictObject({
  items: z
    .array(z.strictObject({ id: Name, status: z.enum(['allowed', 'blocked']) }))
    .min(1)
    .max(RECIPIENTS_MAX),
});
const Page = z.object({
  cursor: z.coerce.number().int().nonnegative().default(0),
  limit: z.coerce.number().int().min(1).max(PAGE_MAX).default(PAGE_DEFAULT),
});

export interface ProviderRequest {
  readonly method: string;
  /** As it was sent, still encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly idempotencyKey: string | undefined;
  /** The parsed body; undefined where there is none. */
  readonly body: unknown;
  /** Aborted when nobody waits for the answer any more. */
  readonly gone: AbortSignal;
}

export interface ProviderParts {
  readonly database: DatabaseSync;
  readonly transfers: TransfersStore;
  readonly faults: FaultsStore;
  /** Aborted when the server closes. */
  readonly stopped: AbortSignal;
}

export type Provider = (request: ProviderRequest) => Promise<Answer>;

type Handler = (request: ProviderRequest, id: string) => Answer | Promise<Answer>;

/** Routes a request, and answers it. */
export function createProvider({ database, transfers, faults, stopped }: ProviderParts): Provider {
  const inFlight: InFlight = new Set();
  const faulty = (subject: FaultSubject, work: () => JsonAnswer): Promise<Answer> => {
    const decision = faults.meet(subject);
    return underFault(decision?.mode, faults.current().plan, work, stopped);
  };

  const routes: readonly (readonly [string, RegExp, Handler])[] = [
    [
      'POST',
      /^\/transfers$/,
      (request) => {
        const { duplicateDetection } = faults.current().plan;
        return handleTransfer({ transfers, inFlight, faulty }, { ...request, duplicateDetection });
      },
    ],
    ['GET', /^\/transfers$/, ({ query }) => list(query)],
    ['GET', /^\/transfers\/by-key\/([^/]+)$/, (_, key) => faulty({ route: 'find', key }, () => find(key))],
    ['DELETE', /^\/transfers\/by-key\/([^/]+)$/, (_, key) => faulty({ route: 'burn', key }, () => burn(key))],
    [
      'POST',
      /^\/transfers\/([^/]+)\/refund$/,
      (_, id) => faulty({ route: 'refund', key: id }, () => refund(id)),
    ],
    [
      'GET',
      /^\/recipients\/([^/]+)$/,
      (_, id) => faulty({ route: 'screen', key: id, recipient: id }, () => screen(id)),
    ],
    ['PUT', /^\/recipients$/, ({ body }) => put(Recipients, body, ({ items }) => transfers.register(items))],
    ['GET', /^\/balance$/, () => json(200, { items: readBalances(database) })],
    ['GET', /^\/audit$/, () => json(200, { ...readAudit(database, faults), inFlight: inFlight.size })],
    ['GET', /^\/faults$/, () => json(200, faults.current())],
    ['PUT', /^\/faults$/, ({ body }) => put(FaultPlan, body, (plan) => faults.replace(plan))],
  ];

  return async (request) => {
    for (const [method, pattern, handle] of routes) {
      const match = request.method === method ? pattern.exec(request.path) : null;
      if (match) return handle(request, decode(match[1] ?? ''));
    }
    return refusal(404, 'route_unknown', `There is no ${request.method} ${request.path}.`);
  };

  function find(key: string): JsonAnswer {
    if (inFlight.has(key)) return IN_FLIGHT;
    const found = transfers.findByKey(key);
    return found ? json(200, found) : refusal(404, 'transfer_unknown', 'Nothing was paid under this key.');
  }
  function burn(key: string): JsonAnswer {
    if (inFlight.has(key)) return IN_FLIGHT;
    const paid = transfers.burn(key);
    return json(200, paid ? { burnt: false, transfer: paid } : { burnt: true });
  }
  function refund(id: string): JsonAnswer {
    const done = transfers.refund(id);
    if (!done) return refusal(404, 'transfer_unknown', `There is no transfer ${id}.`);
    return done.isNew ? json(201, done.refund) : json(200, done.refund, { 'idempotent-replayed': 'true' });
  }
  function screen(id: string): JsonAnswer {
    const status = transfers.screen(id);
    return status
      ? json(200, { id, status })
      : refusal(404, 'recipient_unknown', `There is no recipient ${id}.`);
  }
  function list(query: URLSearchParams): JsonAnswer {
    const page = Page.safeParse(Object.fromEntries(query));
    if (!page.success) return invalid(page.error);
    const { items, next } = transfers.list(page.data.cursor, page.data.limit);
    return json(200, { items, nextCursor: next === undefined ? null : String(next) });
  }
}

function put<T extends z.ZodType>(schema: T, body: unknown, use: (value: z.output<T>) => void): JsonAnswer {
  const parsed = schema.safeParse(body);
  if (!parsed.success) return invalid(parsed.error);
  use(parsed.data);
  return json(204, undefined);
}

/** A segment as it was meant; one that cannot be decoded means itself. */
function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    if (error instanceof URIError) return segment;
    throw error;
  }
}
