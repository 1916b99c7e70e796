/** The two search attributes every workflow of ours carries, in plain: whose it is, and of what kind. */
import type { Connection } from '@temporalio/client';
import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common';
import proto from '@temporalio/proto';

export const TENANT_ATTRIBUTE = defineSearchAttributeKey('Tenant', 'KEYWORD');
export const KIND_ATTRIBUTE = defineSearchAttributeKey('Kind', 'KEYWORD');

export function searchAttributesOf(job: {
  readonly tenantId: string;
  readonly kind: string;
}): TypedSearchAttributes {
  return new TypedSearchAttributes([
    { key: TENANT_ATTRIBUTE, value: job.tenantId },
    { key: KIND_ATTRIBUTE, value: job.kind },
  ]);
}

/**
 * Makes the attributes known to the namespace where they are not: a start that names an unknown one is refused.
 * Throws where this is not allowed (Temporal Cloud); there an operator adds them.
 */
export async function ensureSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const missing = [TENANT_ATTRIBUTE.name, KIND_ATTRIBUTE.name].filter((name) => !(name in customAttributes));
  if (missing.length === 0) return;
  const keyword = proto.temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD;
  await connection.operatorService.addSearchAttributes({
    namespace,
    searchAttributes: Object.fromEntries(missing.map((name) => [name, keyword])),
  });
}
