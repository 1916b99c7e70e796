import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { normalised } from './normalise.js';
import { straight } from './shape.js';
import {
  readHistory,
  refuseIfReleased,
  storedShapes,
  workflowIdOf,
  writeHistories,
  type StoredHistory,
} from './stored-history.js';

const history: StoredHistory = {
  events: [
    {
      eventType: 'EVENT_TYPE_WORKFLOW_EXECUTION_STARTED',
      workflowExecutionStartedEventAttributes: { workflowId: 'job', workflowType: { name: 'tripBook' } },
    },
    { eventType: 'EVENT_TYPE_WORKFLOW_TASK_SCHEDULED' },
  ],
};

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'longhaul-histories-'));
});
afterEach(() => rmSync(root, { recursive: true }));

describe('the folder of histories', () => {
  it('gives back what was written, and keeps other releases and kinds', () => {
    writeHistories('trip.book', '0.1.0', [{ shape: straight, history }], root);
    writeHistories('trip.book', '0.2.0', [{ shape: { ...straight, name: 'other' }, history }], root);
    writeHistories('trip.book', '0.2.0', [{ shape: straight, history }], root);
    const shapes = storedShapes(root);
    expect(shapes.map(({ label }) => label)).toEqual([
      'trip.book 0.1.0 straight',
      'trip.book 0.2.0 straight',
    ]);
    expect(shapes[0]).toMatchObject({ what: straight.what, ends: 'SUCCEEDED', events: 2 });
    expect(readHistory(shapes[0]!.path)).toEqual(history);
    expect(workflowIdOf(history)).toBe('job');
  });

  it('puts an event on a line, so that a change can be read', () => {
    writeHistories('trip.book', '0.1.0', [{ shape: straight, history }], root);
    expect(readFileSync(storedShapes(root)[0]!.path, 'utf8').split('\n')).toHaveLength(
      history.events.length + 3,
    );
  });

  it('refuses a file that no index names', () => {
    writeHistories('trip.book', '0.1.0', [{ shape: straight, history }], root);
    writeFileSync(join(root, 'trip.book/0.1.0/stray.json'), '{}');
    expect(() => storedShapes(root)).toThrow('stray.json');
  });

  it('is closed for a release that is in the changelog', () => {
    const changelog = '# Changelog\n\n## Unreleased\n\n- Since 0.2.0\n\n## [0.1.0] - 2026-12-01\n';
    expect(() => refuseIfReleased('0.1.0', changelog)).toThrow('Raise the version');
    expect(() => refuseIfReleased('0.2.0', changelog)).not.toThrow();
  });
});

it('a normalised history has lost its requests, builds and queues of workers, and nothing else', () => {
  const event = {
    eventType: 'EVENT_TYPE_WORKFLOW_TASK_STARTED',
    taskId: '1',
    workflowTaskStartedEventAttributes: {
      requestId: 'r',
      identity: 'recorder',
      historySizeBytes: '431',
      workerVersion: { buildId: 'b' },
      header: {},
      taskQueue: { name: 'recorder-1f2e', kind: 'TASK_QUEUE_KIND_STICKY', normalName: 'workflows' },
    },
  };
  expect(normalised({ events: [event] }).events).toEqual([
    {
      eventType: 'EVENT_TYPE_WORKFLOW_TASK_STARTED',
      workflowTaskStartedEventAttributes: {
        identity: 'recorder',
        historySizeBytes: '431',
        taskQueue: { name: 'sticky', kind: 'TASK_QUEUE_KIND_STICKY', normalName: 'workflows' },
      },
    },
  ]);
});
