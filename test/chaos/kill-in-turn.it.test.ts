/**
 * The stack as a user runs it, each of its processes killed with SIGKILL in turn while 50 exports run: every
 * export ends correctly, and nothing is left over.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WORKER_QUEUES } from '../../libs/embedded/stack.processes.js';
import {
  eventually,
  isAlive,
  newHome,
  removeHome,
  sha256,
  startTestStack,
  type RunFile,
  type TestJob,
  type TestStack,
} from '../support/stack.js';
import { startReceivers } from '../support/webhook-receivers.js';

const ENDPOINTS = 400;
/** So slow that the worker is killed in the middle, 64 being asked at a time. */
const ANSWER_MS = 300;
const EXPORTS = 50;
const ROWS = 10_000;
const KILL_TIMEOUT_MS = 30_000;
const DRAIN_TIMEOUT_MS = 240_000;

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

/** As a client with retries would: an API that is being restarted refuses, and the same key makes one job of two tries. */
async function submit(version: number): Promise<string> {
  return eventually(`a 202 for export ${version}`, async () => {
    const response = await stack.call('/jobs', {
      method: 'POST',
      headers: { 'idempotency-key': `kill-in-turn-${version}` },
      body: JSON.stringify({
        kind: 'report.export',
        input: { dataset: 'birdstrikes', version, format: 'csv' },
      }),
    });
    if (response.status !== 202) throw new Error(`${response.status} ${await response.text()}`);
    return ((await response.json()) as TestJob).id;
  });
}

test(
  'all of 50 exports end correctly while every process is killed in turn',
  async () => {
    const ids: string[] = [];
    const submitAll = (async () => {
      for (let version = 1; version <= EXPORTS; version++) ids.push(await submit(version));
    })();

    const victims = everyone((await stack.run()).pids);
    for (const victim of victims) {
      process.kill(victim, 'SIGKILL');
      await eventually(
        `the stack to be whole again after the death of process ${victim}`,
        async () => {
          const now = everyone((await stack.run()).pids);
          return now.length === victims.length && !now.includes(victim) && now.every(isAlive);
        },
        KILL_TIMEOUT_MS,
      );
    }
    await submitAll;

    const checksums = new Set<string>();
    for (const id of ids) {
      expect(await stack.ended(id, DRAIN_TIMEOUT_MS)).toMatchObject({ status: 'SUCCEEDED', error: null });
      const result = await stack.result(id);
      expect(result.file.byteLength).toBe(result.bytes);
      expect(sha256(result.file)).toBe(result.sha256);
      expect(result.rows).toBe(ROWS);
      checksums.add(result.sha256);
    }
    expect(checksums.size, 'the same rows make the same file').toBe(1);
    expect(new Set(ids).size).toBe(EXPORTS);

    const { uploads, artifacts } = await storeContents();
    expect(uploads, 'no upload is left').toEqual([]);
    expect(artifacts.length).toBe(EXPORTS);
  },
  DRAIN_TIMEOUT_MS + 180_000,
);

test(
  'an event reaches every endpoint under one id while the worker that sends it is killed',
  async () => {
    const receivers = await startReceivers();
    try {
      const names = Array.from({ length: ENDPOINTS }, (_, index) => `endpoint-${index}`);
      const register = async (name: string): Promise<void> => {
        // The first one is tried again, 5 s later.
        const statusOf = (nth: number): number => (name === names[0] && nth === 1 ? 500 : 204);
        receivers.answer(
          name,
          (response, nth) => void setTimeout(() => response.writeHead(statusOf(nth)).end(), ANSWER_MS),
        );
        const endpoint = { url: receivers.url(name), eventTypes: ['order.paid'] };
        const made = await stack.call('/webhook-endpoints', {
          method: 'POST',
          body: JSON.stringify(endpoint),
        });
        expect(made.status).toBe(201);
      };
      await Promise.all(names.map(register));
      const received = (): number => names.reduce((sum, name) => sum + receivers.got(name).length, 0);
      const event = { event: 'killed', type: 'order.paid', data: { order: 7 } };
      const response = await stack.call('/webhook-events', { method: 'POST', body: JSON.stringify(event) });
      const { id } = (await response.json()) as TestJob;
      await eventually('a third of the deliveries', () => received() > ENDPOINTS / 3);
      const { workers } = (await stack.run()).pids;
      process.kill(workers[WORKER_QUEUES.findIndex(([queue]) => queue === 'webhooks-io')]!, 'SIGKILL');
      const result = { delivered: ENDPOINTS, dead: 0 };
      expect(await stack.ended(id, DRAIN_TIMEOUT_MS)).toMatchObject({ status: 'SUCCEEDED', result });
      for (const name of names) {
        expect(new Set(receivers.got(name).map(({ headers }) => headers['webhook-id']))).toEqual(
          new Set([`msg_${id}`]),
        );
      }
      const repeated = received() - ENDPOINTS;
      expect(repeated, 'only what was not recorded is repeated').toBeLessThan(ENDPOINTS / 2);
    } finally {
      await receivers.close();
    }
  },
  DRAIN_TIMEOUT_MS,
);

test('no process is left when the stack has stopped', async () => {
  const everybody = everyone((await stack.run()).pids);
  expect(await stack.stop()).toBe(0);
  await eventually('every process to be gone', () => everybody.every((pid) => !isAlive(pid)));
  await expect(readdir(home)).resolves.not.toContain('run.json');
}, 60_000);

/** All but the supervisor, whose death is the stack's end. */
function everyone({ api, relay, workers, postgres, temporal, guard }: RunFile['pids']): number[] {
  return [...workers, api, relay, postgres, temporal, guard].filter((pid) => typeof pid === 'number');
}

async function storeContents(): Promise<{ uploads: string[]; artifacts: string[] }> {
  const list = async (folder: string): Promise<string[]> =>
    (await readdir(join(home, 'artifacts', folder))).filter((name) => !name.startsWith('.'));
  return { uploads: await list('uploads'), artifacts: await list('published') };
}
