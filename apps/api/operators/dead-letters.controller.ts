/** /dead-letters: parked jobs of every tenant, and the decisions on them. Each decision asked for is audited. */
import { Controller, Get, Param, Post, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { validate as isUuid, v7 as uuidv7 } from 'uuid';
import {
  decideParked,
  listDeadLetters,
  noteAction,
  readDeadLetter,
  type DeadLetterRecord,
} from '../../../libs/store/dead-letters.store.js';
import { ApiResources } from '../api.resources.js';
import { Door } from '../http/door.decorator.js';
import { readPage } from '../http/page.js';
import { actorOf, bodyOf } from '../http/request.js';
import { check, distinct } from '../http/validate.js';
import { ZodPipe } from '../http/zod.pipe.js';
import { NoQuery } from '../jobs/job-requests.schema.js';
import { JobReader } from '../jobs/job.reader.js';
import type { Job } from '../jobs/job.schema.js';
import { mustFind, setRetryAfter } from '../jobs/jobs.controller.js';
import { Operation } from '../openapi/operation.decorator.js';
import { Problem, type FieldError } from '../problems/problem.js';
import {
  DeadLetterQuery,
  DecisionBody,
  type DeadLetter,
  type DeadLetterParameters,
} from './dead-letter.schema.js';
import { stepOf, viewOf } from './dead-letter.view.js';
import { deadLetterNotFound, refusalOf } from './decision.refusal.js';
import { checkValues } from './decision.values.js';

@Controller('dead-letters')
export class DeadLettersController {
  constructor(
    private readonly resources: ApiResources,
    private readonly reader: JobReader,
  ) {}

  @Get()
  @Door('operator')
  @Operation('listDeadLetters')
  async list(
    @Query(new ZodPipe(DeadLetterQuery)) query: DeadLetterParameters,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ items: DeadLetter[] }> {
    const { job, kind, step, code, status } = query;
    const isOpen = status === undefined ? undefined : status === 'open';
    const page = await readPage(reply, {
      url: `${this.resources.settings.publicUrl}/dead-letters`,
      query,
      of: 'deadLetters',
      read: (place) => listDeadLetters(this.resources.database, { job, kind, step, code, isOpen, ...place }),
    });
    return { items: page.map((letter) => this.view(letter)) };
  }

  @Get(':id')
  @Door('operator')
  @Operation('getDeadLetter')
  async read(
    @Param('id') id: string,
    @Query(new ZodPipe(NoQuery)) _query: object,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<DeadLetter> {
    const letter = await this.mustFind(id);
    reply.header('cache-control', 'no-store');
    return this.view(letter);
  }

  @Post(':id/decisions')
  @Door('operator')
  @Operation('decide')
  async decide(
    @Req() request: FastifyRequest,
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Job> {
    const body = decisionOf(request);
    const letter = await this.mustFind(id);
    const step = stepOf(letter, this.resources.definitions.get(letter.kind));
    const { park, decision, reason } = body;
    const actor = actorOf(request);
    const values = checkValues(body, letter, step);
    if (!values.ok) {
      await this.noteInvalid(letter, body, actor, values.errors);
      throw invalid(values.errors);
    }
    const wish = { id: uuidv7(), park, decision, reason, actor, ...values.value };
    const { database, poke } = this.resources;
    const answer = await decideParked(database, letter.id, wish, step?.kind === 'pivot');
    if (answer.kind === 'refused') {
      throw refusalOf(answer, body, (await readDeadLetter(database, letter.id)) ?? letter);
    }
    poke.poke();
    const { job } = await mustFind(this.reader, letter.tenantId, letter.jobId);
    reply.code(202).header('location', job.links.self).header('cache-control', 'no-store');
    setRetryAfter(reply, job);
    // Operators see no client's data: the same decision may be asked for again when the job has its result.
    return { ...job, result: null };
  }

  private view(letter: DeadLetterRecord): DeadLetter {
    const { definitions, settings } = this.resources;
    return viewOf(letter, definitions.get(letter.kind), settings);
  }

  private async mustFind(id: string): Promise<DeadLetterRecord> {
    const letter = isUuid(id) ? await readDeadLetter(this.resources.database, id) : undefined;
    if (letter) return letter;
    throw deadLetterNotFound();
  }

  /** Values that are no such step's are refused before the database sees them, and stand in the audit log all the same. */
  private noteInvalid(
    letter: DeadLetterRecord,
    { park, decision, reason }: DecisionBody,
    actor: string,
    errors: readonly FieldError[],
  ): Promise<void> {
    return noteAction(this.resources.database, {
      actor,
      action: 'dead_letter.decide',
      subject: letter.id,
      tenantId: letter.tenantId,
      reason,
      before: { job: letter.jobId, park: letter.park, phase: letter.phase, open: letter.closedAt === null },
      after: { kind: 'invalid', errors: distinct(errors), asked: { park, decision } },
    });
  }
}

function decisionOf(request: FastifyRequest): DecisionBody {
  const body = bodyOf(request);
  const checked = check(DecisionBody, body.value);
  const errors = [...body.errors, ...(checked.ok ? [] : checked.errors)];
  if (!checked.ok || errors.length > 0) throw invalid(errors);
  return checked.value;
}

function invalid(errors: readonly FieldError[]): Problem {
  return new Problem('validation_failed', 'The decision has values that are not allowed.', {
    errors: distinct(errors),
  });
}
