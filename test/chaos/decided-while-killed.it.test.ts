/**
 * The stack as a user runs it: an export parks because its source is denied, and while API, relay and workers are
 * killed with SIGKILL around the decision, it still arrives, once, and the export ends.
 */
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DeadLetter } from '../../libs/client/dead-letter.types.js';
import { demoSourceOf } from '../../libs/datasets/demo-source.js';
import {
  eventually,
  isAlive,
  newHome,
  removeHome,
  startTestStack,
  type TestStack,
} from '../support/stack.js';

const LOAD_TIMEOUT_MS = 120_000;
const RECOVERY_TIMEOUT_MS = 60_000;

let stack: TestStack;
let home: string;

beforeAll(async () => {
  home = await newHome();
  stack = await startTestStack(home);
}, 120_000);

afterAll(async () => {
  await stack.stop();
  await removeHome(home);
}, 60_000);

async function asOperator(path: string, init: RequestInit = {}): Promise<Response> {
  const { keys } = await stack.run();
  return stack.call(path, { ...init, headers: { authorization: `Bearer ${keys.operator}` } });
}

async function onSource(change: (reader: string) => string): Promise<void> {
  const { ownerUrl, readerUrl } = demoSourceOf((await stack.run()).databaseUrl);
  const connection = new pg.Client({ connectionString: ownerUrl });
  await connection.connect();
  try {
    await connection.query(change(new URL(readerUrl).username));
  } finally {
    await connection.end();
  }
}

async function killServices(): Promise<void> {
  const { pids } = await stack.run();
  const victims = [pids.api, pids.relay, ...pids.workers];
  for (const victim of victims) process.kill(victim, 'SIGKILL');
  await eventually(
    'API, relay and workers to be there again',
    async () => {
      const now = (await stack.run()).pids;
      const all = [now.api, now.relay, ...now.workers];
      return all.length === victims.length && all.every((pid) => isAlive(pid) && !victims.includes(pid));
    },
    RECOVERY_TIMEOUT_MS,
  );
}

const parkOf = (jobId: string): Promise<DeadLetter> =>
  eventually(
    `job ${jobId} to park`,
    async () => {
      const answer = await asOperator('/dead-letters?status=open&kind=report.export');
      const { items } = (await answer.json()) as { items: DeadLetter[] };
      return items.find((letter) => letter.jobId === jobId);
    },
    RECOVERY_TIMEOUT_MS,
  );

test(
  'a decision on a parked export arrives, once, whatever is killed before and after it was stored',
  async () => {
    const loaded = await stack.submitExport({ dataset: 'birdstrikes', version: 1, format: 'csv' });
    await stack.ended(loaded, LOAD_TIMEOUT_MS);

    // Nobody gets in anew: the export parks before its snapshot is held, for a park inside the block ends with the
    // worker that holds it.
    await onSource((reader) => `alter role ${reader} nologin`);
    await killServices();
    const id = await eventually('the export to be accepted', () =>
      stack.submitExport({ dataset: 'birdstrikes', version: 2, format: 'csv' }),
    );
    const letter = await parkOf(id);
    expect(letter).toMatchObject({ kind: 'report.export', undo: false });
    expect(letter.possible).toContain('retry');

    await killServices();
    expect(await parkOf(id)).toMatchObject({ id: letter.id, park: letter.park });
    await onSource((reader) => `alter role ${reader} login`);

    const { pids } = await stack.run();
    for (const victim of [pids.relay, ...pids.workers]) process.kill(victim, 'SIGKILL');
    const answer = await eventually('the decision to be stored', async () => {
      const decided = await asOperator(`/dead-letters/${letter.id}/decisions`, {
        method: 'POST',
        body: JSON.stringify({ park: letter.park, decision: 'retry', reason: 'let in again' }),
      });
      return decided.status === 202 && decided;
    });
    expect(await answer.json()).toMatchObject({ id });
    const { pids: now } = await stack.run();
    if (isAlive(now.api)) process.kill(now.api, 'SIGKILL');

    expect(await stack.ended(id, RECOVERY_TIMEOUT_MS)).toMatchObject({ status: 'SUCCEEDED', error: null });
    const after = (await (await asOperator(`/dead-letters/${letter.id}`)).json()) as DeadLetter;
    expect(after).toMatchObject({ status: 'closed', decision: { decision: 'retry', outcome: 'taken' } });
    const again = await asOperator('/dead-letters?kind=report.export');
    expect(((await again.json()) as { items: unknown[] }).items).toHaveLength(1);
  },
  LOAD_TIMEOUT_MS + 4 * RECOVERY_TIMEOUT_MS,
);
