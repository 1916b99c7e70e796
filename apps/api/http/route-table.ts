/** Which methods each path answers, noted as routes are added: what tells 405 from 404. */
import type { FastifyInstance } from 'fastify';

interface Pattern {
  readonly expression: RegExp;
  readonly methods: Set<string>;
}

const tables = new WeakMap<object, Map<string, Pattern>>();

/** Starts noting the routes added to this instance from now on. */
export function trackRoutes(instance: FastifyInstance): void {
  const table = new Map<string, Pattern>();
  tables.set(instance.server, table);
  instance.addHook('onRoute', (route) => {
    // A door that only refuses (the guarded prefixes) is no reason to answer 405.
    if ((route.config as { hidden?: boolean } | undefined)?.hidden) return;
    const pattern = table.get(route.url) ?? {
      expression: toExpression(route.url),
      methods: new Set<string>(),
    };
    for (const method of [route.method].flat()) pattern.methods.add(method.toUpperCase());
    table.set(route.url, pattern);
  });
}

/** The methods a path would answer, sorted; none for an unknown path. `/jobs/batch` is no job called "batch". */
export function allowedMethods(instance: FastifyInstance, path: string): string[] {
  const table = tables.get(instance.server) ?? new Map<string, Pattern>();
  const literal = table.get(path);
  const patterns = literal
    ? [literal]
    : [...table.values()].filter(({ expression }) => expression.test(path));
  return [...new Set(patterns.flatMap(({ methods }) => [...methods]))].sort();
}

function toExpression(url: string): RegExp {
  const source = url
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replace(/\/:[A-Za-z]+/g, '/[^/]+')
    .replace(/\*/g, '.*');
  return new RegExp(`^${source}$`);
}
