/**
 * The stack as a user runs it, each of its processes killed with SIGKILL in turn while 50 exports run: every
 * export ends correctly, and nothing is left over. And what is sent reaches everybody when its worker is killed.
 */
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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
/** At the default rate, 50 a second: the worker is killed in the middle. */
const RECIPIENTS = 150;
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

// Beside each other: both wait for most of their time.
describe.concurrent('while the worker that sends is killed,', () => {
  test(
    'an event reaches every endpoint under one id',
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
        await killWorker('webhooks-io');
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

  test(
    'an e-mail reaches everybody on its list, and who gets it again gets it under the same Message-ID',
    async () => {
      const must = async (
        method: string,
        path: string,
        body: string,
        type: string,
      ): Promise<{ id: string }> => {
        const answer = await stack.call(path, { method, body, headers: { 'content-type': type } });
        expect(answer.ok, path).toBe(true);
        return (await answer.json()) as { id: string };
      };
      const json = 'application/json';
      await must('PUT', '/email-templates/news', JSON.stringify({ subject: 'News', text: 'News' }), json);
      const addresses = Array.from({ length: RECIPIENTS }, (_, place) => `reader-${place}@example.com`);
      const rows = ['address', ...addresses].join('\n');
      const { id: list } = await must('POST', '/recipient-lists?name=readers', rows, 'text/csv');
      const mailing = { message: 'killed', template: 'news', list };
      const { id } = await must('POST', '/emails', JSON.stringify(mailing), json);
      await eventually('a third of the messages', async () => (await delivered()).length > RECIPIENTS / 3);
      await killWorker('emails-io');
      const result = { sent: RECIPIENTS, suppressed: 0, refused: 0, dead: 0 };
      expect(await stack.ended(id, DRAIN_TIMEOUT_MS)).toMatchObject({ status: 'SUCCEEDED', result });
      const told = await stack.call(`/jobs/${id}/messages?limit=${RECIPIENTS}`);
      const { items } = (await told.json()) as { items: { doubts: number }[] };
      expect(items.filter(({ doubts }) => doubts > 0).length, 'it was killed in the middle').toBeGreaterThan(
        0,
      );
      const messages = await delivered();
      const idsTo = Map.groupBy(messages, ({ envelope }) => envelope.to[0]);
      const ids = addresses.map((to) => [...new Set(idsTo.get(to)?.map(({ messageId }) => messageId))]);
      const expected = addresses.map((_, place) => [expect.stringContaining(`<${id}.${place}@`) as string]);
      expect(ids).toEqual(expected);
      expect(messages.length - RECIPIENTS, 'only what was not recorded is repeated').toBeLessThanOrEqual(100);
    },
    DRAIN_TIMEOUT_MS,
  );
});

test('no process is left when the stack has stopped', async () => {
  const everybody = everyone((await stack.run()).pids);
  expect(await stack.stop()).toBe(0);
  await eventually('every process to be gone', () => everybody.every((pid) => !isAlive(pid)));
  await expect(readdir(home)).resolves.not.toContain('run.json');
}, 60_000);

async function killWorker(queue: string): Promise<void> {
  const victim = await eventually(`the worker of ${queue}`, async () => {
    const { workers } = (await stack.run()).pids;
    return workers.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(queue));
  });
  process.kill(victim, 'SIGKILL');
}

/** What the sandbox mailbox got. */
async function delivered(): Promise<{ messageId: string; envelope: { to: [string] } }[]> {
  const { mailbox } = (await stack.run()) as RunFile & { mailbox: string };
  const answer = await fetch(`${mailbox}/messages?limit=5000`);
  return ((await answer.json()) as { items: Awaited<ReturnType<typeof delivered>> }).items;
}

/** All but the supervisor, whose death is the stack's end. */
function everyone({ api, relay, workers, postgres, temporal, guard }: RunFile['pids']): number[] {
  return [...workers, api, relay, postgres, temporal, guard].filter((pid) => typeof pid === 'number');
}

async function storeContents(): Promise<{ uploads: string[]; artifacts: string[] }> {
  const list = async (folder: string): Promise<string[]> =>
    (await readdir(join(home, 'artifacts', folder))).filter((name) => !name.startsWith('.'));
  return { uploads: await list('uploads'), artifacts: await list('published') };
}
