import { describe, expect, it } from 'vitest';
import { jobIdOfWorkflow } from '../../../libs/temporal/workflow-id.js';

const JOB = '01a20786-89a2-74ad-bb45-3108022496e9';

describe("a workflow's job", () => {
  it.each([
    [JOB, JOB],
    [`${JOB}/recover/1`, JOB],
    ['', undefined],
    [JOB.slice(1), undefined],
    [`${JOB}x`, undefined],
    [`x${JOB}`, undefined],
    [JOB.toUpperCase(), undefined],
    [`${JOB.slice(0, 35)}'`, undefined],
  ])('of "%s" is %s', (workflowId, jobId) => {
    expect(jobIdOfWorkflow(workflowId)).toBe(jobId);
  });
});
