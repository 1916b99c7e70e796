/** What the attempts of a worker process reach: ledger, inputs, clock, metrics and log. */
import type { z } from 'zod';
import type { AttemptEvent, World } from '../../libs/saga/attempt/world.js';
import type { AnyJobDefinition } from '../../libs/saga/define.js';
import { Denied } from '../../libs/saga/failure.js';
import type { TenantCipher } from '../../libs/security/tenant-cipher.js';
import type { Database } from '../../libs/store/database.js';
import { createChildJobs } from '../../libs/store/child-jobs.store.js';
import { createJobInputs, resultAad } from '../../libs/store/job-input.store.js';
import { createLedgerStore } from '../../libs/store/ledger.store.js';
import { toStepFailure } from '../../libs/store/postgres-failure.js';

export interface WorldParts {
  readonly database: Database;
  readonly cipher: TenantCipher;
  readonly definitions: readonly AnyJobDefinition[];
  readonly observe: (event: AttemptEvent) => void;
}

export function createWorld({ database, cipher, definitions, observe }: WorldParts): World {
  const schemas = new Map(
    definitions.map(({ kind, input }): [string, z.ZodType] => [kind, input as z.ZodType]),
  );
  const loadInput = createJobInputs(database, cipher, (job, input) => {
    const schema = schemas.get(job.kind);
    if (!schema) throw new Denied('kind_unknown', `This worker knows no kind "${job.kind}".`);
    return schema.parse(input);
  });
  const ledger = createLedgerStore(database, (job, _purpose, value) =>
    cipher.encrypt(job.tenantId, Buffer.from(JSON.stringify(value)), resultAad(job)),
  );
  return {
    ledger,
    children: createChildJobs(database, cipher),
    now: () => Date.now(),
    random: () => Math.random(),
    timer(ms, fire) {
      const timer = setTimeout(fire, ms);
      return () => clearTimeout(timer);
    },
    loadInput,
    classify: (error, whenUnknown) => toStepFailure(error, 'The step', whenUnknown),
    observe,
  };
}
