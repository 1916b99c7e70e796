/** Accepts the jobs of schedules' runs (role worker): the same acceptance as of any job, and exactly once a run. */
import { randomBytes } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import type { AnyJobDefinition } from '../saga/define.js';
import type { KeepForm } from '../emails/kept-form.js';
import { isKeyDestroyed } from '../security/cipher.error.js';
import type { TenantCipher } from '../security/tenant-cipher.js';
import { acceptJobs, requestCancel, type SealedCallback } from '../store/accept.store.js';
import { inTenant, type Database } from '../store/database.js';
import { joinNaturalKey } from '../store/natural-key.js';
import { sealInput } from '../store/sealed-input.js';
import { createJobTenants } from '../temporal/job-tenants.store.js';
import { fillPlaceholders } from './placeholders.js';
import {
  ACCEPT_RUN_ACTIVITY,
  CANCEL_RUN_ACTIVITY,
  RUN_ENDED_ACTIVITY,
  type ScheduledRun,
  type ScheduledRunActivities,
} from './scheduled-run.js';
import {
  noteRunError,
  readSchedule,
  templateAad,
  type ScheduleRecord,
  type ScheduleTemplate,
} from './schedules.store.js';

export interface RunAcceptanceParts {
  readonly database: Database;
  readonly cipher: TenantCipher;
  readonly definitions: readonly AnyJobDefinition[];
  /** What a run's job keeps of how things are when it is accepted. */
  readonly keepForm: KeepForm;
  /** The kind that tells of ends. */
  readonly callbackDeadlineMs: number;
}

const ROUTE = 'schedules';
const DETAIL_LENGTH_MAX = 500;
const CANCEL_REASON = 'The next run of its schedule took its place.';

export function createRunAcceptance(parts: RunAcceptanceParts): ScheduledRunActivities {
  const { database } = parts;
  const tenants = createJobTenants(database);
  return {
    async [ACCEPT_RUN_ACTIVITY](run) {
      const tenantId = await tenants.of(run.scheduleId);
      const schedule = await inTenant(database, tenantId, (tx) => readSchedule(tx, run.scheduleId));
      // Paused or deleted, and the engine was not told yet.
      if (!schedule || schedule.paused) return null;
      return accept(parts, tenantId, schedule, run);
    },
    async [RUN_ENDED_ACTIVITY]({ scheduleId, jobId }) {
      const { rows } = await inTenant(database, await tenants.of(scheduleId), (tx) =>
        tx.query(`select from longhaul.jobs where id = $1 and ended_at is null`, [jobId]),
      );
      return rows.length === 0;
    },
    async [CANCEL_RUN_ACTIVITY]({ scheduleId, jobId }) {
      await requestCancel(database, await tenants.of(scheduleId), jobId, CANCEL_REASON);
    },
  };
}

async function accept(
  parts: RunAcceptanceParts,
  tenantId: string,
  schedule: ScheduleRecord,
  run: ScheduledRun,
): Promise<string | null> {
  const { database, cipher } = parts;
  const time = { scheduledAt: new Date(run.scheduledAt), timeZone: schedule.timeZone };
  const refuse = async (code: string, detail: string): Promise<null> => {
    const error = { at: new Date().toISOString(), code, detail };
    await inTenant(database, tenantId, (tx) => noteRunError(tx, schedule.id, error));
    return null;
  };
  const template = await openTemplate(cipher, tenantId, schedule);
  if (!template) return refuse('key_destroyed', 'The tenant’s key was destroyed, and the input with it.');
  const definition = parts.definitions.find(({ kind }) => kind === schedule.kind);
  if (!definition) return refuse('kind_unknown', `This release knows no kind ${schedule.kind}.`);
  const checked = (definition.input as z.ZodType).safeParse(fillPlaceholders(template.input, time));
  if (!checked.success) {
    return refuse('input_invalid', z.prettifyError(checked.error).slice(0, DETAIL_LENGTH_MAX));
  }
  const input = checked.data;
  const kept = await inTenant(database, tenantId, (tx) => parts.keepForm(tx, schedule.kind, input));
  if (!kept.ok) return refuse(kept.code, kept.detail);
  const id = uuidv7();
  const answer = await acceptJobs(database, {
    tenantId,
    route: ROUTE,
    idempotencyKey: undefined,
    fingerprint: Buffer.alloc(0),
    jobs: [
      {
        id,
        kind: schedule.kind,
        key: joinNaturalKey(definition.naturalKey?.(input) ?? [schedule.id, run.scheduledAt]),
        ...(await sealInput(cipher, { id, tenantId }, input, kept.stored)),
        deadlineMs: definition.deadlineMs,
        restart: false,
        traceParent: `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`,
        callback: template.callback
          ? await sealCallback(parts, tenantId, id, template.callback.url)
          : undefined,
        scheduled: { scheduleId: schedule.id, scheduledAt: run.scheduledAt, scheduleRun: run.run },
      },
    ],
  });
  const [item] = answer.items;
  if (item?.outcome === 'accepted' || item?.outcome === 'duplicate') {
    await inTenant(database, tenantId, (tx) => noteRunError(tx, schedule.id, null));
    return (await isOfRun(database, tenantId, item.jobId, run)) ? item.jobId : null;
  }
  const other = item?.outcome === 'conflict' ? `Job ${item.jobId}` : 'Another job';
  return refuse('natural_key_conflict', `${other} has the same natural key and another input.`);
}

/** A job that another run, or somebody else, asked for is not waited for. */
async function isOfRun(
  database: Database,
  tenantId: string,
  jobId: string,
  { run }: ScheduledRun,
): Promise<boolean> {
  const { rows } = await inTenant(database, tenantId, (tx) =>
    tx.query(`select from longhaul.jobs where id = $1 and schedule_run = $2`, [jobId, run]),
  );
  return rows.length > 0;
}

/** What is sealed of a schedule, opened; undefined where the tenant's key was destroyed and nobody can. */
export async function openTemplate(
  cipher: TenantCipher,
  tenantId: string,
  { id, template }: Pick<ScheduleRecord, 'id' | 'template'>,
): Promise<ScheduleTemplate | undefined> {
  try {
    const plain = await cipher.decrypt(tenantId, template, templateAad(tenantId, id));
    return JSON.parse(plain.toString('utf8')) as ScheduleTemplate;
  } catch (error) {
    if (isKeyDestroyed(error)) return undefined;
    throw error;
  }
}

async function sealCallback(
  { cipher, callbackDeadlineMs: deadlineMs }: RunAcceptanceParts,
  tenantId: string,
  job: string,
  url: string,
): Promise<SealedCallback> {
  const id = uuidv7();
  return { id, deadlineMs, ...(await sealInput(cipher, { id, tenantId }, { job, url })) };
}
