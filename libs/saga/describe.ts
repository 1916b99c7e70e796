/** A kind, told from its definition alone: what `/kinds/{kind}` answers and what OpenAPI is built from. */
import { z } from 'zod';
import { failurePlanOf, type FailureCase } from './failure-plan.js';
import {
  taskQueueOf,
  type AnyJobDefinition,
  type AnyStep,
  type Pool,
  type RetryPolicy,
  type StepKind,
} from './define.js';

export type JsonSchema = Readonly<Record<string, unknown>>;

export interface StepDescription {
  readonly name: string;
  readonly kind: StepKind;
  readonly summary: string | null;
  readonly effect: string;
  readonly pool: Pool;
  readonly taskQueue: string;
  /** It stays running and holds something open while other steps work. */
  readonly holds: boolean;
  readonly timeoutSeconds: number;
  readonly longerBecause: string | null;
  readonly heartbeatSeconds: number;
  readonly retry: RetryPolicy;
  readonly undo: string | null;
  readonly undoRetry: RetryPolicy | null;
  readonly probe: string | null;
  /** What happens when it fails, for people. */
  readonly onFailure: readonly FailureCase[];
  /** Of a step with children: the kind they are of, and whether there may be many. */
  readonly children: { readonly kind: string; readonly many: boolean } | null;
}

export interface KindDescription {
  readonly kind: string;
  readonly summary: string;
  readonly workflowType: string;
  readonly queue: string;
  /** Started by other jobs only. */
  readonly internal: boolean;
  readonly naturalKey: {
    /** The kind makes it from the input; without it a client may send `key`. */
    readonly declared: boolean;
    /** Of the example input. */
    readonly example: readonly (string | number)[] | null;
  };
  readonly deadline: string;
  readonly deadlineSeconds: number;
  readonly artifactTtl: string | null;
  readonly input: JsonSchema;
  readonly result: JsonSchema;
  readonly example: unknown;
  readonly steps: readonly StepDescription[];
  /** A Mermaid flowchart. */
  readonly diagram: string;
}

const MS_PER_SECOND = 1_000;

/** Describes a kind. Pure; the JSON Schemas are draft 2020-12, as OpenAPI 3.1 wants them. */
export function describeKind(definition: AnyJobDefinition): KindDescription {
  const steps = stepsOf(definition);
  return {
    kind: definition.kind,
    summary: definition.summary,
    workflowType: definition.workflowType,
    queue: definition.queue,
    internal: definition.internal === true,
    naturalKey: {
      declared: definition.naturalKey !== undefined,
      example: definition.naturalKey?.(schemaOf(definition.input).parse(definition.example)) ?? null,
    },
    deadline: definition.deadline,
    deadlineSeconds: definition.deadlineMs / MS_PER_SECOND,
    artifactTtl: definition.artifact?.ttl ?? null,
    input: inputSchemaOf(definition),
    result: resultSchemaOf(definition),
    example: definition.example as unknown,
    steps: steps.map(([name, step]) => ({
      ...describeStep(definition, name, step),
      onFailure: failurePlanOf(steps, name),
    })),
    diagram: renderDiagram(definition),
  };
}

/** The JSON Schema of what a client sends. */
export function inputSchemaOf(definition: AnyJobDefinition): JsonSchema {
  return toJsonSchema(schemaOf(definition.input), 'input');
}

/** The JSON Schema of what a client gets. */
export function resultSchemaOf(definition: AnyJobDefinition): JsonSchema {
  return toJsonSchema(schemaOf(definition.result), 'output');
}

/** The JSON Schema of what a step answers, e.g. of the answer a person gives. */
export function outputSchemaOf(step: AnyStep): JsonSchema {
  return toJsonSchema(schemaOf(step.output), 'input');
}

/** Forward from top to bottom; dotted lines lead to what takes a step back. */
export function renderDiagram(definition: AnyJobDefinition): string {
  const steps = stepsOf(definition);
  const lines = ['flowchart TD', '  accepted([accepted])'];
  let before = 'accepted';
  for (const [name, step] of steps) {
    lines.push(`  ${idOf(name)}${shapeOf(name, step)}`, `  ${before} --> ${idOf(name)}`);
    if (step.undo !== undefined)
      lines.push(`  ${idOf(name)} -.->|undo| ${idOf(name)}Undo["${String(step.undo)}"]`);
    before = idOf(name);
  }
  return [...lines, `  ${before} --> succeeded([succeeded])`].join('\n');
}

/** A prefix keeps step names apart from Mermaid's keywords (`end`). */
function idOf(name: string): string {
  return `step_${name}`;
}

function shapeOf(name: string, { kind, pool, children }: AnyStep): string {
  if (children) return `[["${name}<br/>${children.many ? 'each ' : ''}a ${children.of.kind}"]]`;
  const label = `"${name}<br/>${kind}, ${pool}"`;
  switch (kind) {
    case 'readOnly':
      return `[/${label}/]`;
    case 'pivot':
      return `{{${label}}}`;
    case 'decision':
      return `{"${name}<br/>a person decides"}`;
    case 'compensable':
    case 'retriable':
      return `[${label}]`;
  }
}

function describeStep(
  { queue }: AnyJobDefinition,
  name: string,
  step: AnyStep,
): Omit<StepDescription, 'onFailure'> {
  return {
    name,
    kind: step.kind,
    summary: step.summary ?? null,
    effect: step.effect,
    pool: step.pool,
    taskQueue: taskQueueOf(queue, step.pool),
    holds: step.holds,
    timeoutSeconds: step.timeoutMs / MS_PER_SECOND,
    longerBecause: step.longerBecause ?? null,
    heartbeatSeconds: step.heartbeatMs / MS_PER_SECOND,
    retry: step.retry,
    undo: (step.undo as string | undefined) ?? null,
    undoRetry: step.undo === undefined ? null : step.undoRetry,
    probe: (step.probe as string | undefined) ?? null,
    children: step.children ? { kind: step.children.of.kind, many: step.children.many } : null,
  };
}

function stepsOf(definition: AnyJobDefinition): [string, AnyStep][] {
  return Object.entries(definition.steps as Readonly<Record<string, AnyStep>>);
}

/** `AnyJobDefinition` is the bound of all definitions, so its schemas are untyped. */
function schemaOf(schema: unknown): z.ZodType {
  return schema as z.ZodType;
}

function toJsonSchema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: _draft, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Record<
    string,
    unknown
  >;
  return rest;
}
