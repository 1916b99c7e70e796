/** Judges what is known after a run against what was promised. Pure: the same evidence, the same verdict. */
import type { Evidence, EffectRow, JobRow, WorkflowRun } from './evidence.js';
import type { Violation } from './violation.js';

type Rule = (evidence: Evidence) => Iterable<Violation>;

const RULES: readonly Rule[] = [
  everyRequestIsAnswered,
  theSameJobTwiceIsOne,
  acceptedIsKept,
  everyJobEndsOnce,
  cancelsAreHonoured,
  workflowsAgree,
  ledgerIsSettled,
  nothingWaits,
  storeHoldsWhatSucceeded,
  somethingSucceeded,
];

/** Every promise that was not kept, in the order of the rules. */
export function audit(evidence: Evidence): Violation[] {
  return RULES.flatMap((rule) => [...rule(evidence)]);
}

function* everyRequestIsAnswered({ asked }: Evidence): Iterable<Violation> {
  for (const { plan, answers, failures } of asked) {
    const jobId = answers[0]?.jobId;
    for (const detail of failures)
      yield { rule: 'every request is answered', jobId, detail: `job ${plan.number} of the plan: ${detail}` };
    if (jobId === undefined && failures.length === 0)
      yield { rule: 'every request is answered', detail: `job ${plan.number} of the plan: no answer at all` };
  }
}

function* theSameJobTwiceIsOne({ asked }: Evidence): Iterable<Violation> {
  const rule = 'the same job twice is one';
  const numbers = new Map<string, number>();
  for (const { plan, answers } of asked) {
    const ids = [...new Set(answers.map(({ jobId }) => jobId))];
    const [jobId] = ids;
    if (jobId === undefined) continue;
    if (ids.length > 1)
      yield { rule, jobId, detail: `asked for again it became ${ids.length} jobs: ${ids.join(', ')}` };
    if (answers.filter(({ outcome }) => outcome === 'accepted').length > 1)
      yield { rule, jobId, detail: 'two requests were told that theirs made the job' };
    const other = numbers.get(jobId);
    if (other !== undefined)
      yield { rule, jobId, detail: `jobs ${other} and ${plan.number} of the plan, which differ, are one` };
    numbers.set(jobId, plan.number);
  }
}

function* acceptedIsKept({ asked, jobs, children }: Evidence): Iterable<Violation> {
  const kept = new Set(jobs.map(({ id }) => id));
  const told = new Set(asked.flatMap(({ answers }) => answers.map(({ jobId }) => jobId)));
  for (const jobId of told)
    if (!kept.has(jobId))
      yield { rule: 'accepted is kept', jobId, detail: 'a client was told of it; it is not there' };
  // An unanswered request may have made its job all the same.
  const unanswered = asked.filter(({ answers }) => answers.length === 0).length;
  const unasked = jobs.filter(({ id, kind }) => !told.has(id) && !children.includes(kind));
  if (unasked.length > unanswered)
    for (const { id, kind } of unasked)
      yield { rule: 'accepted is kept', jobId: id, detail: `a ${kind} that no client was told of` };
}

function* everyJobEndsOnce({ jobs, shown, seenEnds }: Evidence): Iterable<Violation> {
  const rule = 'every job has exactly one end';
  const byId = new Map(jobs.map((job) => [job.id, job]));
  for (const { id, status, phase, endedAt } of jobs) {
    if (endedAt === null) yield { rule, jobId: id, detail: `it is ${status}, ${phase}` };
    else if (phase !== 'done') yield { rule, jobId: id, detail: `it has ended, and its phase is ${phase}` };
    const view = shown.get(id);
    if (view === undefined) yield { rule, jobId: id, detail: 'the API does not know it' };
    else if (view.status !== status || timeOf(view.finishedAt) !== endedAt?.getTime())
      yield {
        rule,
        jobId: id,
        detail: `the API shows ${view.status} at ${view.finishedAt}; stored is ${status} at ${endedAt?.toISOString()}`,
      };
    // What was paid stays paid.
    if (view?.leftovers.some(({ kept }) => kept === undefined))
      yield {
        rule: 'nothing is left over',
        jobId: id,
        detail: `leftovers: ${JSON.stringify(view.leftovers)}`,
      };
  }
  for (const seen of seenEnds) {
    const now = byId.get(seen.jobId);
    if (now?.status !== seen.status || now.endedAt?.toISOString() !== seen.endedAt)
      yield {
        rule,
        jobId: seen.jobId,
        detail: `seen to end ${seen.status} at ${seen.endedAt}; now it is ${now?.status} at ${now?.endedAt?.toISOString()}`,
      };
  }
}

function timeOf(text: string | null): number | undefined {
  return text === null ? undefined : Date.parse(text);
}

function* cancelsAreHonoured({ asked, jobs }: Evidence): Iterable<Violation> {
  const rule = 'a cancel is honoured, or refused for a reason';
  const byId = new Map(jobs.map((job) => [job.id, job]));
  for (const { plan, answers, cancel } of asked) {
    const job = byId.get(answers[0]?.jobId ?? '');
    if (job === undefined) continue;
    const isCancelled = job.status === 'CANCELLED';
    if (isCancelled && plan.cancelAfterMs === undefined)
      yield { rule, jobId: job.id, detail: 'it was cancelled, and nobody asked for that' };
    if (isCancelled && cancel !== undefined && cancel !== 'taken')
      yield { rule, jobId: job.id, detail: `its cancel was refused (${cancel}), and it is CANCELLED` };
    if (cancel === 'taken' && job.endedAt !== null && job.cancelRequestedAt === null && !isCancelled)
      yield { rule, jobId: job.id, detail: 'its cancel was taken, and is not on record' };
  }
}

const CLOSES: Readonly<Record<string, WorkflowRun['status']>> = {
  SUCCEEDED: 'completed',
  FAILED: 'failed',
  CANCELLED: 'canceled',
};

function* workflowsAgree({ jobs, workflows }: Evidence): Iterable<Violation> {
  const rule = 'job and workflow agree';
  const runs = Map.groupBy(workflows, ({ workflowId }) => workflowId);
  for (const job of jobs) {
    const own = runs.get(job.id) ?? [];
    runs.delete(job.id);
    const statuses = own.map(({ status }) => status).join(', ');
    const last = own.filter(({ status }) => status !== 'continued');
    if (last.length > 1)
      yield { rule, jobId: job.id, detail: `it has ${own.length} executions: ${statuses}` };
    else if (job.endedAt !== null && last.length === 0 && !neverBegan(job))
      yield { rule, jobId: job.id, detail: `it is ${job.status}, and has no workflow` };
    else if (job.endedAt !== null && last.length === 1 && last[0]?.status !== CLOSES[job.status])
      yield { rule, jobId: job.id, detail: `it is ${job.status}, and its workflow ${statuses}` };
  }
  for (const [workflowId, own] of runs)
    yield {
      rule,
      detail: `workflow ${workflowId} (${own.map(({ status }) => status).join(', ')}) belongs to no job`,
    };
}

/** Cancelled before it was sent to the engine. */
function neverBegan({ status, startedAt }: JobRow): boolean {
  return status === 'CANCELLED' && startedAt === null;
}

function* ledgerIsSettled({ jobs, effects, shown }: Evidence): Iterable<Violation> {
  const byId = new Map(jobs.map((job) => [job.id, job]));
  for (const row of effects) {
    const job = byId.get(row.jobId);
    if (job === undefined || job.endedAt === null || row.effect === 'none') continue;
    const leftovers = shown.get(row.jobId)?.leftovers ?? [];
    if (leftovers.some(({ step, item }) => step === row.step && (item ?? -1) === row.item)) continue;
    if (row.state === 'undoing' || (row.state === 'claimed' && !isRefusal(row)))
      yield {
        rule: 'the ledger is settled',
        jobId: row.jobId,
        detail: `${nameOf(row)} is ${row.state}, and the job ${job.status}`,
      };
    else if (row.state === 'done' && job.status !== 'SUCCEEDED')
      yield {
        rule: 'all or nothing',
        jobId: row.jobId,
        detail: `${nameOf(row)} stands, and the job is ${job.status}`,
      };
  }
}

/** An attempt that was answered with a certain no is not followed by anything: the claim with that no is its last word. */
function isRefusal({ failed, doubt, leaseUntil }: EffectRow): boolean {
  return failed && !doubt && leaseUntil === null;
}

function nameOf({ step, item, generation, stepKind, attempt, undoAttempt }: EffectRow): string {
  const name = item < 0 ? step : `${step}[${item}]`;
  return `the ${stepKind} ${name} (generation ${generation}, ${attempt} attempts, ${undoAttempt} of its undo)`;
}

function* nothingWaits({ outbox, deadLetters, locks, jobs }: Evidence): Iterable<Violation> {
  const ended = new Set(jobs.flatMap(({ id, endedAt }) => (endedAt === null ? [] : id)));
  for (const { jobId, message, attempts, lastError } of outbox)
    yield {
      rule: 'the outbox is empty',
      jobId,
      detail: `its ${message} is not sent after ${attempts} attempts: ${lastError}`,
    };
  for (const letter of deadLetters) {
    const { jobId, park, step, item, undo, doubt, attempts } = letter;
    const where = `${undo ? 'the undo of ' : ''}${step}${item === null ? '' : `[${item}]`}`;
    yield {
      rule: ended.has(jobId) ? 'no dead letter of an ended job is open' : 'no job stays parked',
      jobId,
      detail: `park ${park} in ${where}, ${attempts} attempts${doubt ? ', in doubt' : ''}: ${JSON.stringify(letter.lastError)}`,
    };
  }
  for (const { jobId, name } of locks) yield { rule: 'no lock is left', jobId, detail: `it holds "${name}"` };
}

function* storeHoldsWhatSucceeded({ jobs, artifacts, store }: Evidence): Iterable<Violation> {
  const rule = 'the store holds what succeeded, and nothing else';
  for (const name of store.uploads) yield { rule, jobId: jobOf(name), detail: `the upload ${name} is left` };
  for (const name of store.trash) yield { rule, detail: `${name} is left in the trash` };
  const recorded = new Map(artifacts.map(({ jobId, location }) => [location, jobId]));
  const succeeded = new Set(jobs.flatMap(({ id, status }) => (status === 'SUCCEEDED' ? id : [])));
  for (const name of store.published)
    if (!recorded.has(name))
      yield { rule, jobId: jobOf(name), detail: `${name} is published, and no job says so` };
  for (const [location, jobId] of recorded) {
    if (!store.published.includes(location))
      yield { rule, jobId, detail: `${location} is announced, and not there` };
    if (!succeeded.has(jobId))
      yield { rule, jobId, detail: `${location} is announced, and the job did not succeed` };
  }
}

/** A run in which a kind never gets through proves nothing about it. */
function* somethingSucceeded({ jobs }: Evidence): Iterable<Violation> {
  for (const [kind, own] of Map.groupBy(jobs, (job) => job.kind))
    if (!own.some(({ status }) => status === 'SUCCEEDED'))
      yield { rule: 'the run proves something', detail: `none of ${own.length} ${kind} succeeded` };
}

function jobOf(location: string): string | undefined {
  return location.split('.', 1)[0];
}
