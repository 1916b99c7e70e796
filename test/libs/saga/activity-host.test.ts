import type { Client } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, it } from 'vitest';
import { toFailure } from '../../../libs/saga/failure.js';
import { hostAttempt } from '../../../libs/saga/temporal/activity-host.js';

it('takes an engine that does not hear a holder’s word for a reason to try again, not for a bug', async () => {
  const signal = () => Promise.reject(new Error('14 UNAVAILABLE: no connection'));
  const client = {
    workflow: { getHandle: () => ({ signal }) },
    withAbortSignal: <R>(_: AbortSignal, work: () => Promise<R>) => work(),
  } as unknown as Client;
  const environment = new MockActivityEnvironment({}, { client });
  const word = { token: 'keep/0/0', output: { snapshot: '1' } };
  const attempt = environment.run(() =>
    hostAttempt(
      async (host) => {
        const failure = await host
          .ready(word)
          .then(undefined, (error: unknown) => toFailure(error, 'unknown'));
        return { kind: 'done', output: failure };
      },
      { hearsCancel: true },
    ),
  );
  await expect(attempt).resolves.toMatchObject({ class: 'transient', certainty: 'no', code: 'engine_away' });
});
