/** `@Operation('getJob')`: ties a handler to what the OpenAPI document says of it. */
import { applyDecorators } from '@nestjs/common';
import {
  ApiBody,
  ApiConsumes,
  ApiHeader,
  ApiOperation,
  ApiParam,
  ApiQuery,
  ApiResponse,
  ApiSecurity,
} from '@nestjs/swagger';
import { z } from 'zod';
import { problemTable, type ProblemCode } from '../problems/problem.table.js';
import { PROBLEM_MEDIA_TYPE } from '../problems/problem.js';
import { operations, type OperationId, type OperationSpec } from './operations.js';

type Schema = Record<string, unknown>;
type SwaggerSchema = NonNullable<Parameters<typeof ApiQuery>[0] extends { schema?: infer S } ? S : never>;

export const TRACE_HEADER = {
  'x-trace-id': { description: 'The trace id, 32 hex digits.', schema: { type: 'string' as const } },
};

export function Operation(id: OperationId): MethodDecorator {
  const spec: OperationSpec = operations[id];
  return applyDecorators(
    ApiOperation({
      operationId: id,
      summary: spec.summary,
      description: spec.description ?? '',
      tags: [spec.tag],
    }),
    ...(spec.public ? [] : [ApiSecurity('apiKey')]),
    ...Object.entries(spec.params ?? {}).map(([name, description]) =>
      ApiParam({ name, description, schema: { type: 'string' } }),
    ),
    ...(spec.query ? queryOf(spec.query) : []),
    ...Object.entries(spec.headers ?? {}).map(([name, header]) => {
      const { description, ...rules } = typeof header === 'string' ? { description: header } : header;
      return ApiHeader({ name, description, required: false, schema: { type: 'string', ...rules } });
    }),
    ...(spec.body ? bodyOf(spec.body) : []),
    ...Object.entries(spec.answers).map(([status, answer]) =>
      ApiResponse({
        status: Number(status),
        description: answer.description,
        headers: { ...TRACE_HEADER, ...headersOf(answer.headers) },
        ...(answer.content
          ? {
              content: Object.fromEntries(
                Object.entries(answer.content).map(([mediaType, schema]) => [
                  mediaType,
                  {
                    schema: typeof schema === 'string' ? { $ref: refTo(schema) } : (schema as SwaggerSchema),
                  },
                ]),
              ),
            }
          : {}),
      }),
    ),
    ...problemsOf(spec),
  );
}

/** Every operation may also meet these. */
const EVERYWHERE: readonly ProblemCode[] = ['invalid_request', 'internal_error'];
const BEHIND_A_KEY: readonly ProblemCode[] = ['unauthenticated', 'database_unavailable'];

function problemsOf(spec: OperationSpec): MethodDecorator[] {
  const codes = new Set([...EVERYWHERE, ...(spec.public ? [] : BEHIND_A_KEY), ...spec.problems]);
  const byStatus = Map.groupBy(codes, (code) => problemTable[code].status);
  return [...byStatus].map(([status, group]) =>
    ApiResponse({
      status,
      description: group.map((code) => `\`${code}\`: ${problemTable[code].title}`).join('; '),
      headers: TRACE_HEADER,
      content: { [PROBLEM_MEDIA_TYPE]: { schema: { $ref: refTo('Problem') } } },
    }),
  );
}

function bodyOf({
  required,
  schema,
  mediaTypes = [],
}: NonNullable<OperationSpec['body']>): MethodDecorator[] {
  const body = schema === undefined ? { type: 'string' } : { $ref: refTo(schema) };
  return [
    ...(mediaTypes.length > 0 ? [ApiConsumes(...mediaTypes)] : []),
    ApiBody({ required, schema: body as never }),
  ];
}

function queryOf(schema: z.ZodType): MethodDecorator[] {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as {
    properties?: Record<string, Schema>;
    required?: string[];
  };
  return Object.entries(json.properties ?? {}).map(([name, property]) =>
    ApiQuery({
      name,
      required: json.required?.includes(name) ?? false,
      ...(typeof property['description'] === 'string' ? { description: property['description'] } : {}),
      schema: property as SwaggerSchema,
    }),
  );
}

function headersOf(headers: Readonly<Record<string, string>> | undefined) {
  return Object.fromEntries(
    Object.entries(headers ?? {}).map(([name, description]) => [
      name,
      { description, schema: { type: 'string' as const } },
    ]),
  );
}

function refTo(name: string): string {
  return `#/components/schemas/${name}`;
}
