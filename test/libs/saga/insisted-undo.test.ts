/** A person's word that there is something to undo is about the effect as it was when it was said. */
import { expect, it } from 'vitest';
import { z } from 'zod';
import { compensable, defineJob } from '../../../libs/saga/define.js';
import { Rejected, toFailure } from '../../../libs/saga/failure.js';
import { interpret } from '../../../libs/saga/interpreter/interpreter.js';
import type { Settled, UndoRequest } from '../../../libs/saga/protocol.js';
import type { Runtime } from '../../../libs/saga/runtime.js';

const letterJob = defineJob({
  kind: 'test.letter',
  summary: 'Sends a letter nobody can ask about',
  queue: 'orders',
  input: z.strictObject({}),
  result: z.null(),
  deadline: '1h',
  example: {},
  steps: {
    send: compensable({ pool: 'io', effect: 'blind', atMostOnce: true, output: z.void(), undo: 'recall' }),
  },
  async run({ steps }) {
    await steps.send();
    throw new Rejected('no', 'The author says no');
  },
});

const inDoubt: Settled = {
  kind: 'failed',
  failure: toFailure(new Error('no answer'), 'unknown'),
  doubt: true,
  attempts: 1,
};

/** Runs the job; its undos end as given, and each park is answered by a retry. Answers which undos insisted. */
async function insistedOf(undos: readonly Settled[]): Promise<boolean[]> {
  const requests: UndoRequest[] = [];
  const left = [...undos];
  const elapsed = Promise.resolve();
  const runtime: Runtime = {
    now: () => 0,
    random: () => 0,
    patched: () => true,
    sleep: (ms) => (ms > 3_000_000 ? new Promise(() => undefined) : elapsed),
    timer: () => ({ elapsed, cancel: () => undefined }),
    start({ request }) {
      if (request.role === 'undo') requests.push(request);
      const done: Settled = { kind: 'done', output: 'undone' };
      const settled = request.role === 'undo' ? (left.shift() ?? done) : done;
      return {
        settled: Promise.resolve(settled),
        ready: new Promise(() => undefined),
        cancel: () => undefined,
      };
    },
    park: async ({ number }) => saga.decide({ id: `d${number}`, park: number, decision: 'retry' }),
    unpark: async () => undefined,
    rule: async () => ({ kind: 'settled' }),
    finish: async () => undefined,
    changed: () => undefined,
  };
  const start = { jobId: 'job', tenantId: 't', kind: 'test.letter', deadlineAt: '1970-01-02T00:00:00Z' };
  const saga = interpret(letterJob, start, runtime);
  await saga.run();
  return requests.map(({ insists }) => insists === true);
}

it('counts for an undo that is put off before any attempt was made', async () => {
  const putOff: Settled = { kind: 'deferred', deferMs: 1, doubt: true, attempts: 1 };
  expect(await insistedOf([inDoubt, putOff])).toEqual([false, true, true]);
});

it('counts no more once an attempt was made that never reported', async () => {
  const putOffLater: Settled = { kind: 'deferred', deferMs: 1, doubt: true, attempts: 2 };
  expect(await insistedOf([inDoubt, putOffLater])).toEqual([false, true, false]);
});
