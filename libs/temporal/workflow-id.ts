/** A workflow's id is its job's, with a suffix where the reconciler had to start a second one (`jobId/recover/1`). */

const JOB_ID_LENGTH = 36;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The job a workflow works for; undefined for a workflow that is none of Longhaul's. */
export function jobIdOfWorkflow(workflowId: string): string | undefined {
  const jobId = workflowId.slice(0, JOB_ID_LENGTH);
  const rest = workflowId.slice(JOB_ID_LENGTH);
  return UUID.test(jobId) && (rest === '' || rest.startsWith('/')) ? jobId : undefined;
}
