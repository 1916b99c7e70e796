import { expect, it } from 'vitest';
import { CommandError } from '../../../apps/cli/command.error.js';
import { fetchFrom, seeThrough, type DemoContext, type DemoPart } from '../../../apps/cli/demo.part.js';
import { runParts } from '../../../apps/cli/demo-parts.run.js';
import type { Job } from '../../../libs/client/job.types.js';
import { freePort } from '../../support/ports.js';

function setup(watched: readonly Job[] = []) {
  const lines: string[] = [];
  const controller = new AbortController();
  const client = {
    async *watch(_id: string, { signal }: { signal: AbortSignal }) {
      yield* watched;
      await new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason as Error)),
      );
    },
  };
  const context = {
    client,
    terminal: { paint: (_: string, text: string) => text, print: (line: string) => lines.push(line) },
    signal: controller.signal,
  } as unknown as DemoContext;
  return { context, lines, abort: (reason: Error) => controller.abort(reason) };
}

const fine: DemoPart = async () => [{ label: 'fine', value: 'it is', holds: true }];
const broken: DemoPart = async () => {
  throw new CommandError('The mailbox answered 500.\nLook at its log.');
};
const wrong: DemoPart = async () => [{ label: 'wrong', value: 'it is', holds: false }];

it('goes on to the next part when one cannot go on, and fails in the end', async () => {
  const { context, lines } = setup();
  expect(await runParts(context, [broken, fine])).toBe(false);
  expect(lines.slice(0, 3)).toEqual([
    '  ✗ The mailbox answered 500.',
    '    Look at its log.',
    '  ✓ fine  it is',
  ]);
});

it('holds when all claims of all parts do', async () => {
  expect(await runParts(setup().context, [fine, fine])).toBe(true);
  expect(await runParts(setup().context, [wrong, fine])).toBe(false);
});

it('ends with the interrupt, whatever the part made of it', async () => {
  const { context, abort } = setup();
  const interrupted: DemoPart = async () => {
    abort(new CommandError('Interrupted.'));
    throw new Error('fetch failed');
  };
  await expect(runParts(context, [interrupted, fine])).rejects.toThrow('Interrupted.');
});

it('says of a job that stands still where it stands, and how to look on', async () => {
  const job = {
    id: 'j-1',
    kind: 'email.send',
    status: 'STARTED',
    phase: 'forward',
    progress: { percent: 40 },
    steps: [],
    stale: false,
  } as unknown as Job;
  const { context } = setup([job]);
  await expect(seeThrough(context, job, undefined, 1)).rejects.toThrow(
    'email.send has not ended within 1.0 ms: STARTED, forward: 40%. Look on: ./longhaul watch j-1',
  );
});

it('names what does not answer, and where', async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  await expect(fetchFrom('The sandbox mailbox', `${url}/messages?to=ada`, {})).rejects.toThrow(
    new RegExp(`^The sandbox mailbox does not answer at ${url}: .*ECONNREFUSED`),
  );
});
