/** The fault plan in force, and a line for every request that met it. */
import { decideFault, type FaultDecision, type FaultSubject } from './fault-plan.js';
import { FAULTLESS, FaultPlan } from './fault-plan.schema.js';
import { inOneTransaction, type DatabaseSync } from './provider.database.js';

export interface FaultsStore {
  /** The plan in force, and how often each of its rules has decided. */
  current(): { readonly plan: FaultPlan; readonly used: readonly number[] };
  /** Puts another plan in force; its counts begin anew. */
  replace(plan: FaultPlan): void;
  /** Decides a request's fault and writes both down. */
  meet(subject: FaultSubject): FaultDecision | undefined;
  /** Since the file was made: requests by route, faults by mode. */
  counts(): { readonly requests: Record<string, number>; readonly faults: Record<string, number> };
}

export function createFaultsStore(database: DatabaseSync): FaultsStore {
  const newest = database.prepare('select version, plan from plans order by version desc limit 1');
  const insertPlan = database.prepare('insert into plans (plan) values (?)');
  const ordinals = database.prepare(
    `select (select coalesce(max(nth), 0) + 1 from requests where plan = ?1 and route = ?2) as nth,
            (select count(*) + 1 from requests where plan = ?1 and route = ?2 and key = ?3) as seen`,
  );
  const ruleUses = database.prepare(
    'select rule, count(*) as uses from requests where plan = ? and rule is not null group by rule',
  );
  const insertRequest = database.prepare(
    'insert into requests (plan, route, key, nth, mode, rule) values (?, ?, ?, ?, ?, ?)',
  );
  const byRoute = database.prepare('select route as name, count(*) as n from requests group by route');
  const byMode = database.prepare(
    'select mode as name, count(*) as n from requests where mode is not null group by mode',
  );

  let cached = load();

  function load(): { readonly version: number; readonly plan: FaultPlan } {
    const row = newest.get() as { version: number; plan: string } | undefined;
    return row
      ? { version: row.version, plan: FaultPlan.parse(JSON.parse(row.plan)) }
      : { version: 0, plan: FAULTLESS };
  }
  function used(): number[] {
    const uses = cached.plan.rules.map(() => 0);
    if (uses.length === 0) return uses;
    for (const row of ruleUses.all(cached.version) as { rule: number; uses: number }[])
      uses[row.rule] = row.uses;
    return uses;
  }
  const tally = (rows: unknown[]): Record<string, number> =>
    Object.fromEntries((rows as { name: string; n: number }[]).map(({ name, n }) => [name, n]));

  return {
    current: () => ({ plan: cached.plan, used: used() }),
    replace(plan) {
      insertPlan.run(JSON.stringify(plan));
      cached = load();
    },
    meet: (subject) =>
      inOneTransaction(database, () => {
        const { route, key } = subject;
        const { nth, seen } = ordinals.get(cached.version, route, key) as { nth: number; seen: number };
        const decision = decideFault(cached.plan, subject, { nth, seen, used: used() });
        insertRequest.run(cached.version, route, key, nth, decision?.mode ?? null, decision?.rule ?? null);
        return decision;
      }),
    counts: () => ({ requests: tally(byRoute.all()), faults: tally(byMode.all()) }),
  };
}
