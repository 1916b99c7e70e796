/** /email-templates: what messages say. */
import { Controller, Delete, Get, Param, Post, Put, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { v7 as uuidv7 } from 'uuid';
import {
  compileTemplate,
  problemsOfTemplate,
  RenderedTooLong,
  type Rendered,
} from '../../../libs/emails/template.js';
import {
  deleteTemplate,
  findTemplate,
  listTemplates,
  putTemplate,
  type TemplateRecord,
} from '../../../libs/emails/templates.store.js';
import { isArtifact, problemsOfValues, propertyOf, type Value } from '../../../libs/emails/variables.js';
import { inTenant } from '../../../libs/store/database.js';
import { ApiResources } from '../api.resources.js';
import { Door } from '../http/door.decorator.js';
import { readPage } from '../http/page.js';
import { PageQuery, type PageParameters } from '../http/page.schema.js';
import { bodyOf, optionalBody, tenantOf } from '../http/request.js';
import { checkBody, distinct } from '../http/validate.js';
import { ZodPipe } from '../http/zod.pipe.js';
import { Operation } from '../openapi/operation.decorator.js';
import { Problem } from '../problems/problem.js';
import {
  PreviewRequest,
  TEMPLATE_NAME,
  TemplateBody,
  TemplateQuery,
  type Preview,
  type Template,
  type TemplateParameters,
} from './email.schema.js';
import { templateView } from './email.view.js';

@Controller('email-templates')
export class EmailTemplatesController {
  constructor(private readonly resources: ApiResources) {}

  @Get()
  @Door('client')
  @Operation('listEmailTemplates')
  async list(
    @Req() request: FastifyRequest,
    @Query(new ZodPipe(PageQuery)) query: PageParameters,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ items: Template[] }> {
    const page = await readPage(reply, {
      url: `${this.resources.settings.publicUrl}/email-templates`,
      query,
      of: 'templates',
      read: (place) => inTenant(this.resources.database, tenantOf(request), (tx) => listTemplates(tx, place)),
    });
    return { items: page.map((record) => this.view(record)) };
  }

  @Put(':name')
  @Door('client')
  @Operation('putEmailTemplate')
  async put(
    @Req() request: FastifyRequest,
    @Param('name') name: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Template> {
    const tenantId = tenantOf(request);
    const template = checkBody(
      TemplateBody,
      bodyOf(request),
      'The template has values that are not allowed.',
    );
    const problems = problemsOfTemplate(template).map(({ field, detail }) => ({
      pointer: `/${field}`,
      detail,
    }));
    if (!TEMPLATE_NAME.test(name)) {
      problems.push({ pointer: '/name', detail: 'must be 1 to 100 of a-z, 0-9, dot, hyphen and underscore' });
    }
    if (problems.length > 0) {
      throw new Problem('validation_failed', 'The template does not work as it is.', {
        errors: distinct(problems),
      });
    }
    const { record, isNew } = await inTenant(this.resources.database, tenantId, (tx) =>
      putTemplate(tx, tenantId, { ...template, id: uuidv7(), name }),
    );
    const view = this.view(record);
    reply
      .code(isNew ? 201 : 200)
      .header('location', view.links.self)
      .header('cache-control', 'no-store');
    return view;
  }

  @Get(':name')
  @Door('client')
  @Operation('getEmailTemplate')
  async read(
    @Req() request: FastifyRequest,
    @Param('name') name: string,
    @Query(new ZodPipe(TemplateQuery)) { version }: TemplateParameters,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Template> {
    reply.header('cache-control', 'no-store');
    return this.view(await this.mustFind(request, name, version));
  }

  @Delete(':name')
  @Door('client')
  @Operation('deleteEmailTemplate')
  async remove(
    @Req() request: FastifyRequest,
    @Param('name') name: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    const known = TEMPLATE_NAME.test(name);
    const gone =
      known && (await inTenant(this.resources.database, tenantOf(request), (tx) => deleteTemplate(tx, name)));
    if (!gone) throw templateNotFound();
    reply.code(204);
  }

  @Post(':name/preview')
  @Door('client')
  @Operation('previewEmailTemplate')
  async preview(
    @Req() request: FastifyRequest,
    @Param('name') name: string,
    @Query(new ZodPipe(TemplateQuery)) { version }: TemplateParameters,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Preview> {
    const body = optionalBody(request);
    const wish = { ...body, value: body.value ?? {} };
    const { variables } = checkBody(PreviewRequest, wish, 'The preview has values that are not allowed.');
    const template = await this.mustFind(request, name, version);
    const problems = problemsOfValues(template.variables, variables);
    if (problems.length > 0) {
      const errors = problems.map((problem) => ({
        pointer: `/variables/${problem.name}`,
        detail: problem.detail,
      }));
      throw new Problem('validation_failed', 'The template cannot be written with these.', {
        errors: distinct(errors),
      });
    }
    reply.code(200).header('cache-control', 'no-store');
    return { version: template.version, ...this.render(template, variables) };
  }

  private render(template: TemplateRecord, variables: Readonly<Record<string, Value>>): Rendered {
    try {
      return compileTemplate(template)(this.linked(template, variables));
    } catch (error) {
      if (!(error instanceof RenderedTooLong)) throw error;
      throw new Problem('validation_failed', 'The template cannot be written with these.', {
        cause: error,
        errors: [{ pointer: '/variables', detail: error.message }],
      });
    }
  }

  /** A link that shows where one will be: it opens nothing. */
  private linked(
    { variables }: TemplateRecord,
    values: Readonly<Record<string, Value>>,
  ): Record<string, Value> {
    const link = (name: string, value: Value): Value =>
      isArtifact(propertyOf(variables, name))
        ? `${this.resources.settings.publicUrl}/jobs/${value}/result`
        : value;
    return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, link(name, value)]));
  }

  private async mustFind(
    request: FastifyRequest,
    name: string,
    version: number | undefined,
  ): Promise<TemplateRecord> {
    const record = TEMPLATE_NAME.test(name)
      ? await inTenant(this.resources.database, tenantOf(request), (tx) =>
          findTemplate(tx, name, { version }),
        )
      : undefined;
    if (record) return record;
    throw templateNotFound();
  }

  private view(record: TemplateRecord): Template {
    return templateView(record, this.resources.settings.publicUrl);
  }
}

function templateNotFound(): Problem {
  return new Problem('email_template_not_found', 'There is no such template, or not in this version.');
}
