import { expect, test } from 'vitest';
import type { ApiResources } from '../../../apps/api/api.resources.js';
import type { JobReader, Reading } from '../../../apps/api/jobs/job.reader.js';
import type { Job } from '../../../apps/api/jobs/job.schema.js';
import { JobWatcher } from '../../../apps/api/jobs/job.watcher.js';

/** So many that waiting for the watcher's own pace would outlast the test. */
const LOOKS = 500;

test('looks at once when told of the end of a job that is followed, and of no other', async () => {
  let looks = 0;
  const readMany = async (): Promise<Map<string, Reading>> => {
    looks += 1;
    return new Map([['a', { job: { id: 'a', revision: looks, status: 'STARTED' } as Job } as Reading]]);
  };
  const watcher = new JobWatcher({} as ApiResources, { readMany } as unknown as JobReader);
  let told = Promise.withResolvers<void>();
  const stop = watcher.follow('tenant', 'a', 0, () => told.resolve());
  for (let look = 1; look <= LOOKS; look += 1) {
    await told.promise;
    told = Promise.withResolvers<void>();
    expect(looks).toBe(look);
    // It goes to rest after it has told.
    await new Promise(setImmediate);
    watcher.lookNow('b');
    expect(looks).toBe(look);
    watcher.lookNow('a');
  }
  stop();
  await watcher.onModuleDestroy();
});
