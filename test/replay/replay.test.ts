/** S18: the present code replays the histories of every release whose jobs may still be open. */
import { hostname } from 'node:os';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { beforeAll, describe, expect, it } from 'vitest';
import { definitions } from '../../workflows/index.js';
import { SCHEDULED_RUN_WORKFLOW } from '../../libs/schedules/schedule-sync.js';
import { recordedKinds } from './recorded-kinds.js';
import { runShapes } from './recorded-runs.js';
import { asOf, bundleWorkflows, quietRuntime, replayAll } from './replayer.js';
import { readHistory, storedShapes, workflowIdOf, type StoredHistory } from './stored-history.js';
import { testCodec } from './test-key.js';

const SETUP_TIMEOUT_MS = 90_000;

const stored = storedShapes();
const histories = new Map(stored.map(({ label, path }) => [label, readHistory(path)]));
let bundle: WorkflowBundleWithSourceMap;

beforeAll(async () => {
  quietRuntime();
  bundle = await bundleWorkflows('replayed.workflows.ts');
}, SETUP_TIMEOUT_MS);

describe('the present code', () => {
  const errors = new Map<string, Error | undefined>();

  beforeAll(async () => {
    const found = await replayAll(bundle, [...histories.values()]);
    [...histories.keys()].forEach((label, at) => errors.set(label, found[at]));
  }, SETUP_TIMEOUT_MS);

  it.each(stored.map(({ label }) => label))('replays %s', (label) => {
    expect([...errors.keys()]).toContain(label);
    expect(errors.get(label)).toBeUndefined();
  });

  it('has histories of every shipped kind; where not, describe it in recorded-kinds.ts and run histories:record', () => {
    const missing = definitions.filter(({ kind }) => !stored.some((shape) => shape.kind === kind));
    expect(missing.map(({ kind }) => kind)).toEqual([]);
    expect(recordedKinds.map(({ definition }) => definition)).toEqual(
      expect.arrayContaining([...definitions]),
    );
  });

  it('has a history of every shape there is; where not, run histories:record', () => {
    const shapes = [
      ...recordedKinds.flatMap(({ definition: { kind }, shapes }) =>
        shapes.map(({ name }) => `${kind} ${name}`),
      ),
      ...runShapes.map(({ name }) => `${SCHEDULED_RUN_WORKFLOW} ${name}`),
    ];
    const there = new Set(stored.map(({ kind, shape }) => `${kind} ${shape}`));
    expect(shapes.filter((shape) => !there.has(shape))).toEqual([]);
  });
});

describe('a copy of a kind', () => {
  const straight = 'test.order 0.1.0 straight';
  const compensated = 'test.order 0.1.0 compensated';
  const parked = 'test.order 0.1.0 parked';
  const patched = 'test.patched 0.1.0 straight';
  const fitting: [string, string, string][] = [
    ['nothing changed', 'orderUnchanged'],
    ['a step added behind `patched`', 'orderPatched'],
    ['a step added behind `patched`, asked twice', 'orderPatchedLast'],
    ['other time limits, retries, pools, fences, summaries and deadline', 'orderRetuned'],
  ].flatMap(([what = '', workflow = '']) =>
    [straight, compensated, parked].map((label): [string, string, string] => [what, workflow, label]),
  );
  fitting.push(['the old course gone, and `patched` still asked', 'patchedStillAsked', patched]);
  for (const shape of ['deferred-late', 'undo-deferred-late', 'pivot-settle-deferred-late'])
    fitting.push(['fewer attempts than were made', 'orderImpatient', `test.order 0.1.0 ${shape}`]);
  for (const shape of ['decided', 'decided-by-default', 'waiting', 'asleep'])
    fitting.push(['other times to sleep and to decide', 'errandPatient', `test.errand 0.1.0 ${shape}`]);
  const unfit: [string, string, string][] = [
    ['two steps reordered', 'orderReordered', straight],
    ['two steps reordered', 'orderReordered', parked],
    ['a step removed', 'orderStepRemoved', straight],
    ['a step added', 'orderStepAdded', straight],
    ['a step added at the end', 'orderStepAddedLast', straight],
    ['a step renamed', 'orderStepRenamed', straight],
    ['an undo renamed', 'orderUndoRenamed', compensated],
    ['another concurrency', 'orderNarrowed', straight],
    ['fewer attempts of a holder', 'snapshotImpatient', 'test.snapshot 0.1.0 retried'],
    ['a sleep removed', 'errandSleepless', 'test.errand 0.1.0 decided'],
    ['a fallback removed', 'errandUnskippable', 'test.errand 0.1.0 skipped'],
    ['`patched` not asked any more', 'patchedForgotten', patched],
  ];
  const errors = new Map<string, Error | undefined>();

  beforeAll(async () => {
    const copies = [...fitting, ...unfit];
    const found = await replayAll(
      bundle,
      copies.map(([, workflow, label]) => asOf(workflow, histories.get(label)!)),
    );
    copies.forEach(([, workflow, label], at) => errors.set(`${workflow} ${label}`, found[at]));
  }, SETUP_TIMEOUT_MS);

  it.each(fitting)('with %s fits histories of before (%s, %s)', (_, workflow, label) => {
    expect(errors.get(`${workflow} ${label}`)).toBeUndefined();
  });

  it.each(unfit)('with %s is found out (%s, %s)', (_, workflow, label) => {
    expect(errors.get(`${workflow} ${label}`)).toBeInstanceOf(DeterminismViolationError);
  });
});

describe('a stored history', () => {
  it('tells nothing of the machine that recorded it, sealed or not', async () => {
    const odd: string[] = [];
    for (const { label } of stored) {
      for (const text of await textsOf(histories.get(label)!)) {
        if (/(?:^|[\s"'(=])(?:file:\/\/)?\/[\w.-]+\/|\bnode:|@[\w.-]*$/.test(text) || text === hostname())
          odd.push(`${label}: ${text}`);
      }
    }
    expect(odd).toEqual([]);
  });

  it('of a shipped kind, or of a schedule’s run, is sealed', () => {
    const shipped = [...definitions.map(({ kind }) => kind), SCHEDULED_RUN_WORKFLOW];
    for (const { kind, label } of stored) {
      if (!shipped.includes(kind)) continue;
      const { events } = histories.get(label)!;
      const sealed = events
        .filter(({ eventType }) => !NAMES_OF_CHANGES.includes(eventType))
        .map((event) => JSON.stringify(event))
        .filter((event) => !event.includes(NOT_STARTED));
      expect(sealed.join(), label).not.toContain(base64('json/plain'));
    }
  });
});

/** Written by the SDK past every codec. */
const NAMES_OF_CHANGES = ['EVENT_TYPE_MARKER_RECORDED', 'EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES'];
const base64 = (text: string): string => Buffer.from(text).toString('base64');
/** The server's own word on an attempt that was cancelled before a worker began it. */
const NOT_STARTED = base64('"ACTIVITY_ID_NOT_STARTED"');

/** Every text in a history, those inside its payloads opened. */
async function textsOf(history: StoredHistory): Promise<string[]> {
  const codec = testCodec();
  const context = { type: 'workflow', namespace: 'default', workflowId: workflowIdOf(history) } as const;
  const open = async (value: unknown): Promise<string[]> => {
    if (typeof value === 'string') return [value];
    if (typeof value !== 'object' || value === null) return [];
    if (!isPayload(value)) return (await Promise.all(Object.values(value).map(open))).flat();
    const metadata = Object.fromEntries(
      Object.entries(value.metadata).map(([key, text]) => [key, Buffer.from(text, 'base64')]),
    );
    const [payload] = await codec.decode(
      [{ metadata, data: Buffer.from(value.data ?? '', 'base64') }],
      context,
    );
    return [Buffer.from(payload?.data ?? []).toString()];
  };
  return open(history.events);
}

interface StoredPayload {
  readonly metadata: Readonly<Record<string, string>>;
  readonly data?: string;
}

function isPayload(value: object): value is StoredPayload {
  return 'metadata' in value && typeof value.metadata === 'object' && 'encoding' in (value.metadata ?? {});
}
