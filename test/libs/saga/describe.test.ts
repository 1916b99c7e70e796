import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect, test } from 'vitest';
import { describeKind } from '../../../libs/saga/describe.js';
import { definitions } from '../../../workflows/index.js';
import { reportExport } from '../../../workflows/report-export.job.js';
import { convoy } from '../../conformance/kinds.js';

test.each(definitions.map((definition) => [definition.kind, definition] as const))(
  '%s: its example satisfies the JSON Schema it tells clients',
  (_, definition) => {
    const { input, example, naturalKey } = describeKind(definition);
    const ajv = new Ajv2020.default({ strict: false });
    addFormats.default(ajv);
    const validate = ajv.compile(input);
    expect(validate(example), JSON.stringify(validate.errors)).toBe(true);
    expect(naturalKey.declared).toBe(definition.naturalKey !== undefined);
  },
);

test('tells steps with queue, times, undo and probe', () => {
  const { steps } = describeKind(reportExport);
  expect(
    steps.map(({ name, kind, taskQueue, undo, probe, holds }) => [name, kind, taskQueue, undo, probe, holds]),
  ).toEqual([
    ['keep', 'readOnly', 'reports-keeper', null, null, true],
    ['plan', 'readOnly', 'reports-io', null, null, false],
    ['count', 'readOnly', 'reports-io', null, null, false],
    ['render', 'compensable', 'reports-cpu', 'discardParts', null, false],
    ['publish', 'pivot', 'reports-io', null, 'findPublished', false],
    ['announce', 'retriable', 'reports-io', null, null, false],
  ]);
  expect(steps[0]).toMatchObject({
    timeoutSeconds: 1_800,
    heartbeatSeconds: reportExport.steps.keep.heartbeatMs / 1_000,
  });
});

test('tells of a step with children which kind they are of', () => {
  const { steps, diagram } = describeKind(convoy);
  expect(steps.map(({ name, children, undo }) => [name, children, undo])).toEqual([
    ['scout', { kind: 'test.order', many: false }, 'cancelChildren'],
    ['ship', { kind: 'test.order', many: true }, 'recall'],
    ['report', null, null],
  ]);
  expect(diagram).toContain('step_ship[["ship<br/>each a test.order"]]');
});

test('draws a flowchart that names every step and undo', () => {
  const { diagram } = describeKind(reportExport);
  expect(diagram.split('\n')[0]).toBe('flowchart TD');
  for (const word of ['keep', 'plan', 'count', 'render', 'publish', 'announce', 'discardParts'])
    expect(diagram).toContain(word);
});
