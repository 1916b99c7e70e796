/** The document's schemas: our own representations, and every kind's input and result from its definition. */
import { z } from 'zod';
import { inputSchemaOf, resultSchemaOf, type JsonSchema } from '../../../libs/saga/describe.js';
import type { AnyJobDefinition } from '../../../libs/saga/define.js';
import { CancelRequest, Submission } from '../jobs/job-requests.schema.js';
import {
  ArtifactLink,
  CancelPreview,
  Children,
  Job,
  JobError,
  JobPage,
  Progress,
  StepView,
} from '../jobs/job.schema.js';
import {
  Message,
  MessagePage,
  Preview,
  PreviewRequest,
  RecipientList,
  RecipientListPage,
  Suppression,
  SuppressionBody,
  SuppressionPage,
  Template,
  TemplateBody,
  TemplatePage,
  UploadedList,
} from '../emails/email.schema.js';
import { DeadLetter, DeadLetterPage, DecisionBody } from '../operators/dead-letter.schema.js';
import { problemTable } from '../problems/problem.table.js';
import { Schedule, ScheduleBody, ScheduleChange, SchedulePage } from '../schedules/schedule.schema.js';
import {
  CallbackSecret,
  CallbackSecretShown,
  Delivery,
  DeliveryPage,
  Endpoint,
  EndpointBody,
  EndpointChange,
  EndpointPage,
  EndpointWithSecret,
  ResendRequest,
} from '../webhooks/webhook.schema.js';

type Schemas = Record<string, JsonSchema>;

const OWN = {
  ...{ Job, JobPage, JobError, Step: StepView, Progress, Children, ArtifactLink, CancelPreview },
  ...{ DeadLetter, DeadLetterPage },
  ...{
    WebhookEndpoint: Endpoint,
    WebhookEndpointPage: EndpointPage,
    WebhookEndpointWithSecret: EndpointWithSecret,
  },
  ...{ CallbackSecret, CallbackSecretShown, Schedule, SchedulePage },
  ...{ WebhookDelivery: Delivery, WebhookDeliveryPage: DeliveryPage },
  ...{ EmailTemplate: Template, EmailTemplatePage: TemplatePage, EmailPreview: Preview },
  ...{ RecipientList, RecipientListPage, UploadedRecipientList: UploadedList },
  ...{ EmailSuppression: Suppression, EmailSuppressionPage: SuppressionPage },
  ...{ EmailMessage: Message, EmailMessagePage: MessagePage },
};
const REF = '#/components/schemas/';
/** Kinds with a door of their own: the component that says what it takes. */
const TYPED_DOORS: Readonly<Record<string, string>> = {
  'report.export': 'ExportSubmission',
  'webhook.fanout': 'WebhookEvent',
  'email.send': 'EmailRequest',
};
/** Bodies of requests. */
const REQUESTS = {
  CancelRequest,
  WebhookEndpointBody: EndpointBody,
  WebhookEndpointChange: EndpointChange,
  WebhookResendRequest: ResendRequest,
  ScheduleBody,
  ScheduleChange,
  EmailTemplateBody: TemplateBody,
  EmailPreviewRequest: PreviewRequest,
  EmailSuppressionBody: SuppressionBody,
};

/** `components.schemas` of the document. */
export function componentSchemas(definitions: Iterable<AnyJobDefinition>): Schemas {
  const kinds = [...definitions];
  return { ...ownSchemas(), ...writtenSchemas(), ...kindSchemas(kinds) };
}

function ownSchemas(): Schemas {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(OWN)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, {
    io: 'output',
    unrepresentable: 'any',
    uri: (id) => REF + id,
  });
  return {
    ...Object.fromEntries(Object.entries(schemas).map(([id, schema]) => [id, bare(schema as JsonSchema)])),
    ...Object.fromEntries(
      Object.entries(REQUESTS).map(([id, schema]) => [
        id,
        bare(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })),
      ]),
    ),
    ...hoisted(
      'DecisionRequest',
      bare(z.toJSONSchema(DecisionBody, { io: 'input', unrepresentable: 'any' })),
    ),
  };
}

function bare({ $schema: _draft, $id: _id, ...schema }: JsonSchema): JsonSchema {
  return schema;
}

/** `report.export` → `ReportExport`. */
export function pascalCase(kind: string): string {
  return kind.replace(/(?:^|\.)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function kindSchemas(kinds: readonly AnyJobDefinition[]): Schemas {
  const schemas: Schemas = {};
  for (const definition of kinds) {
    const name = pascalCase(definition.kind);
    const input = { ...inputSchemaOf(definition), examples: [definition.example as unknown] };
    Object.assign(
      schemas,
      hoisted(`${name}Input`, input),
      hoisted(`${name}Result`, resultSchemaOf(definition)),
    );
    schemas[`${name}Submission`] = {
      type: 'object',
      additionalProperties: false,
      required: ['kind', 'input'],
      properties: {
        kind: { const: definition.kind, description: definition.summary },
        input: { $ref: `${REF}${name}Input` },
        ...besideInput(),
        ...(definition.naturalKey ? {} : { key: { type: 'string', minLength: 1, maxLength: 255 } }),
      },
      examples: [{ kind: definition.kind, input: definition.example as unknown }],
    };
  }
  const names = kinds.filter(({ internal }) => !internal).map(({ kind }) => pascalCase(kind));
  const doors = kinds.flatMap((definition) => {
    const name = TYPED_DOORS[definition.kind];
    return name === undefined ? [] : Object.entries(hoisted(name, withBesideInput(definition)));
  });
  return {
    ...schemas,
    ...Object.fromEntries(doors),
    Submission: { oneOf: names.map((name) => ({ $ref: `${REF}${name}Submission` })) },
    Result: {
      anyOf: [{ $ref: `${REF}ArtifactLink` }, ...names.map((name) => ({ $ref: `${REF}${name}Result` }))],
    },
  };
}

/** A schema whose `$defs` (recursive parts) are components of their own: inside the document `#/$defs` leads nowhere. */
function hoisted(name: string, schema: JsonSchema): Schemas {
  const { $defs = {}, ...rest } = schema as { $defs?: Schemas };
  const moved = (part: JsonSchema): JsonSchema =>
    JSON.parse(JSON.stringify(part).replaceAll('"#/$defs/', `"${REF}${name}`)) as JsonSchema;
  return Object.fromEntries([
    [name, moved(rest)],
    ...Object.entries($defs).map(([key, part]) => [name + key, moved(part)]),
  ]) as Schemas;
}

/** What every submission may have beside its input. */
function besideInput(): Schemas {
  const { onDuplicate, delayUntil, callback } = Submission.shape;
  const schemas = z.toJSONSchema(z.object({ onDuplicate, delayUntil, callback }), { io: 'input' });
  return schemas.properties as Schemas;
}

function withBesideInput(definition: AnyJobDefinition): JsonSchema {
  const input = inputSchemaOf(definition) as { properties?: object };
  return {
    ...input,
    properties: { ...input.properties, ...besideInput() },
    examples: [definition.example as unknown],
  };
}

const text = { type: 'string' };
const nullableText = { type: ['string', 'null'] };
const listOf = (items: JsonSchema): JsonSchema => ({ type: 'array', items });

/** An object with these fields and no others; `optional` ones may be missing. */
function exact(fields: JsonSchema, optional: JsonSchema = {}): JsonSchema {
  return {
    type: 'object',
    additionalProperties: false,
    required: Object.keys(fields),
    properties: { ...fields, ...optional },
  };
}

/** What no zod schema of ours describes. */
function writtenSchemas(): Schemas {
  return {
    Problem: exact(
      {
        type: { type: 'string', format: 'uri' },
        title: text,
        status: { type: 'integer', minimum: 400, maximum: 599 },
        detail: text,
        instance: text,
        code: { enum: Object.keys(problemTable) },
        traceId: { type: 'string', pattern: '^[0-9a-f]{32}$' },
      },
      {
        errors: listOf(exact({ pointer: { type: 'string', description: 'RFC 6901' }, detail: text })),
        jobId: { type: 'string', format: 'uuid', description: 'The job that is in the way.' },
        possible: { ...listOf(text), description: 'Of a decision that is not possible: those that are.' },
      },
    ),
    ProblemKind: exact({ code: text, status: { type: 'integer' }, title: text, advice: text }),
    Batch: exact({ jobs: { ...listOf({ $ref: `${REF}Submission` }), minItems: 1, maxItems: 1_000 } }),
    BatchAnswer: exact({
      items: listOf({
        oneOf: [
          exact({ status: { enum: [200, 202] }, job: { $ref: `${REF}Job` } }),
          exact({ status: { type: 'integer' }, problem: { $ref: `${REF}Problem` } }),
        ],
      }),
    }),
    KindPage: exact({
      items: listOf(
        exact({
          kind: text,
          summary: text,
          links: {
            type: 'object',
            required: ['self'],
            properties: { self: { type: 'string', format: 'uri' } },
          },
        }),
      ),
    }),
    Kind: kindSchema(),
    CodecPayloads: {
      type: 'object',
      required: ['payloads'],
      properties: {
        // As protobuf's JSON has it: null is the same as nothing.
        payloads: listOf({
          type: 'object',
          properties: { metadata: { type: ['object', 'null'] }, data: nullableText },
        }),
      },
    },
    Health: exact({ status: { const: 'ok' } }),
    Readiness: exact({
      status: { const: 'ready' },
      database: { const: 'up' },
      engine: { enum: ['up', 'down'] },
    }),
  };
}

function kindSchema(): JsonSchema {
  const retry = {
    type: ['object', 'null'],
    required: ['attempts', 'first', 'most'],
    properties: { attempts: { type: 'integer' }, first: text, most: text },
  };
  const step = {
    name: text,
    kind: { enum: ['readOnly', 'compensable', 'pivot', 'retriable', 'decision'] },
    summary: nullableText,
    effect: text,
    pool: text,
    taskQueue: text,
    holds: { type: 'boolean' },
    timeoutSeconds: { type: 'number' },
    longerBecause: nullableText,
    heartbeatSeconds: { type: 'number' },
    retry,
    undo: nullableText,
    undoRetry: retry,
    probe: nullableText,
    onFailure: {
      ...listOf(exact({ when: text, then: text })),
      description: 'What happens when it fails, for people.',
    },
    children: {
      ...exact({ kind: text, many: { type: 'boolean' } }),
      type: ['object', 'null'],
      description: 'Of a step that is jobs of their own: the kind they are of.',
    },
  };
  const kind = {
    kind: text,
    summary: text,
    workflowType: text,
    queue: text,
    internal: { type: 'boolean', description: 'Started by other jobs only.' },
    naturalKey: {
      type: 'object',
      required: ['declared', 'example'],
      properties: {
        declared: { type: 'boolean' },
        example: { type: ['array', 'null'], items: { type: ['string', 'number'] } },
      },
    },
    deadline: text,
    deadlineSeconds: { type: 'number' },
    artifactTtl: nullableText,
    input: { type: 'object', description: 'JSON Schema, draft 2020-12.' },
    result: { type: 'object', description: 'JSON Schema, draft 2020-12.' },
    example: {},
    steps: listOf(exact(step)),
    diagram: { type: 'string', description: 'Mermaid.' },
  };
  return exact(kind);
}
