/** /schedules: jobs that are asked for again and again. */
import { Controller, Delete, Get, Param, Patch, Post, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { validate as isUuid, v7 as uuidv7 } from 'uuid';
import type { z } from 'zod';
import { openTemplate } from '../../../libs/schedules/run-acceptance.js';
import {
  deleteSchedule,
  insertSchedule,
  listSchedules,
  readSchedule,
  templateAad,
  updateSchedule,
  type ScheduleRecord,
  type ScheduleTemplate,
  type ScheduleWish,
} from '../../../libs/schedules/schedules.store.js';
import { inTenant } from '../../../libs/store/database.js';
import { ApiResources } from '../api.resources.js';
import { Door } from '../http/door.decorator.js';
import { readPage } from '../http/page.js';
import { PageQuery, type PageParameters } from '../http/page.schema.js';
import { bodyOf, tenantOf } from '../http/request.js';
import { check, distinct } from '../http/validate.js';
import { ZodPipe } from '../http/zod.pipe.js';
import { openCompletion } from '../jobs/completion.js';
import { NoQuery } from '../jobs/job-requests.schema.js';
import { JobAcceptor } from '../jobs/job.acceptor.js';
import { JobReader } from '../jobs/job.reader.js';
import type { Job } from '../jobs/job.schema.js';
import { setRetryAfter, submitterOf } from '../jobs/jobs.controller.js';
import { Operation } from '../openapi/operation.decorator.js';
import { Problem } from '../problems/problem.js';
import { judgeSchedule, runKeyOf, submissionOf } from './schedule.judge.js';
import { ScheduleBody, ScheduleChange, type Schedule } from './schedule.schema.js';

@Controller('schedules')
export class SchedulesController {
  constructor(
    private readonly resources: ApiResources,
    private readonly acceptor: JobAcceptor,
    private readonly reader: JobReader,
  ) {}

  @Post()
  @Door('client')
  @Operation('createSchedule')
  async create(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Schedule> {
    const tenantId = tenantOf(request);
    const wish = await this.judge(tenantId, valid(request, ScheduleBody));
    const id = uuidv7();
    const sealed = await this.seal(tenantId, id, wish);
    const record = await inTenant(this.resources.database, tenantId, (tx) =>
      insertSchedule(tx, { id, ...sealed }),
    );
    this.resources.poke.poke();
    const view = this.view(record, wish, null);
    reply.code(201).header('location', view.links.self).header('cache-control', 'no-store');
    return view;
  }

  @Get()
  @Door('client')
  @Operation('listSchedules')
  async list(
    @Req() request: FastifyRequest,
    @Query(new ZodPipe(PageQuery)) query: PageParameters,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ items: Schedule[] }> {
    const tenantId = tenantOf(request);
    const page = await readPage(reply, {
      url: `${this.resources.settings.publicUrl}/schedules`,
      query,
      of: 'schedules',
      read: (place) => inTenant(this.resources.database, tenantId, (tx) => listSchedules(tx, place)),
    });
    return {
      items: await Promise.all(
        page.map(async (record) => this.view(record, await this.open(tenantId, record), null)),
      ),
    };
  }

  @Get(':id')
  @Door('client')
  @Operation('getSchedule')
  async read(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Query(new ZodPipe(NoQuery)) _query: object,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Schedule> {
    const record = await this.mustFind(request, id);
    const nextRuns = await this.resources.engine.nextRuns(id).catch(() => null);
    reply.header('cache-control', 'no-store');
    return this.view(record, await this.open(tenantOf(request), record), nextRuns);
  }

  @Patch(':id')
  @Door('client')
  @Operation('changeSchedule')
  async change(@Req() request: FastifyRequest, @Param('id') id: string): Promise<Schedule> {
    const tenantId = tenantOf(request);
    const change = valid(request, ScheduleChange);
    if (!isUuid(id)) throw scheduleNotFound();
    const changed = await inTenant(this.resources.database, tenantId, async (tx) => {
      const there = await readSchedule(tx, id, { lock: true });
      if (!there) throw scheduleNotFound();
      const { catchUpSeconds: catchUpWindowSeconds } = there;
      const before = { ...there, ...(await this.open(tenantId, there)), catchUpWindowSeconds };
      const whole = { ...pick(before), ...defined(change) };
      const wish = isAlwaysPossible(change) ? whole : await this.judge(tenantId, whole);
      return { record: await updateSchedule(tx, id, await this.seal(tenantId, id, wish)), wish };
    });
    this.resources.poke.poke();
    return this.view(changed.record, changed.wish, null);
  }

  @Delete(':id')
  @Door('client')
  @Operation('deleteSchedule')
  async remove(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    const isGone =
      isUuid(id) &&
      (await inTenant(this.resources.database, tenantOf(request), (tx) => deleteSchedule(tx, id)));
    if (!isGone) throw scheduleNotFound();
    this.resources.poke.poke();
    reply.code(204);
  }

  @Post(':id/trigger')
  @Door('client')
  @Operation('triggerSchedule')
  async trigger(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Job> {
    const tenantId = tenantOf(request);
    const record = await this.mustFind(request, id);
    const scheduledAt = new Date();
    const { kind, timeZone } = record;
    const value = submissionOf({ kind, timeZone, ...(await this.open(tenantId, record)) }, scheduledAt);
    const hasOwnKey = this.resources.definitions.get(kind)?.naturalKey !== undefined;
    const { answer } = await this.acceptor.acceptOne(
      { value: hasOwnKey ? value : { ...value, key: runKeyOf(id, scheduledAt) }, errors: [] },
      { ...submitterOf(request, `/schedules/${id}/trigger`), scheduled: { scheduleId: id, scheduledAt } },
      // The same request again comes at another time: it is known by where it came to.
      { trigger: id },
    );
    const { job, status } = answer;
    reply.code(status).header('location', job.links.self).header('cache-control', 'no-store');
    setRetryAfter(reply, job);
    return job;
  }

  @Get(':id/jobs')
  @Door('client')
  @Operation('listScheduleJobs')
  async jobs(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Query(new ZodPipe(PageQuery)) query: PageParameters,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ items: Job[] }> {
    await this.mustFind(request, id);
    const items = await readPage(reply, {
      url: `${this.resources.settings.publicUrl}/schedules/${id}/jobs`,
      query,
      of: 'jobs',
      read: (place) => this.reader.list(tenantOf(request), { schedule: id, ...place }),
    });
    return { items };
  }

  private async judge(tenantId: string, wish: ScheduleBody): Promise<ScheduleBody> {
    const context = await this.acceptor.contextFor(tenantId);
    return judgeSchedule(wish, context, openCompletion(this.resources, tenantId));
  }

  /** The schedule, or 404: unknown ids, foreign ones, and what is no id at all answer the same. */
  private async mustFind(request: FastifyRequest, id: string): Promise<ScheduleRecord> {
    const record = isUuid(id)
      ? await inTenant(this.resources.database, tenantOf(request), (tx) => readSchedule(tx, id))
      : undefined;
    if (record) return record;
    throw scheduleNotFound();
  }

  private async seal(
    tenantId: string,
    id: string,
    { input, callback, catchUpWindowSeconds: catchUpSeconds, ...rest }: ScheduleBody,
  ): Promise<ScheduleWish> {
    const plain: ScheduleTemplate = { input, callback };
    const template = await this.resources.cipher.encrypt(
      tenantId,
      Buffer.from(JSON.stringify(plain)),
      templateAad(tenantId, id),
    );
    return { ...rest, catchUpSeconds, template };
  }

  private async open(tenantId: string, record: ScheduleRecord): Promise<ScheduleTemplate> {
    const template = await openTemplate(this.resources.cipher, tenantId, record);
    return template ?? { input: null, callback: null };
  }

  private view(
    record: ScheduleRecord,
    { input, callback }: ScheduleTemplate,
    nextRuns: string[] | null,
  ): Schedule {
    const self = `${this.resources.settings.publicUrl}/schedules/${record.id}`;
    const { id, kind, cron, timeZone, overlap, catchUpSeconds, paused, note, isSynced, lastError } = record;
    return {
      ...{
        id,
        kind,
        input,
        cron,
        timeZone,
        overlap,
        catchUpWindowSeconds: catchUpSeconds,
        paused,
        note,
        callback,
      },
      inSync: isSynced,
      nextRuns,
      lastError,
      createdAt: record.createdAt.toISOString(),
      updatedAt: record.updatedAt.toISOString(),
      links: { self, jobs: `${self}/jobs`, trigger: `${self}/trigger` },
    };
  }
}

function pick(body: ScheduleBody): ScheduleBody {
  const { kind, input, cron, timeZone, overlap, catchUpWindowSeconds, paused, note, callback } = body;
  return { kind, input, cron, timeZone, overlap, catchUpWindowSeconds, paused, note, callback };
}

/** A schedule whose template or dataset is gone can be held all the same. */
function isAlwaysPossible({ paused, note: _note, ...rest }: z.output<typeof ScheduleChange>): boolean {
  return paused !== false && Object.values(rest).every((value) => value === undefined);
}

function defined(change: z.output<typeof ScheduleChange>): Partial<ScheduleBody> {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
}

function valid<S extends z.ZodType>(request: FastifyRequest, schema: S): z.output<S> {
  const body = bodyOf(request);
  const checked = check(schema, body.value);
  const errors = [...body.errors, ...(checked.ok ? [] : checked.errors)];
  if (checked.ok && errors.length === 0) return checked.value;
  throw new Problem('validation_failed', 'The schedule has values that are not allowed.', {
    errors: distinct(errors),
  });
}

function scheduleNotFound(): Problem {
  return new Problem('schedule_not_found', 'There is no such schedule.');
}
