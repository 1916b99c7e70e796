/** /kinds: which kinds of job there are, told from their definitions. */
import { Controller, Get, Param } from '@nestjs/common';
import { describeKind, type KindDescription } from '../../../libs/saga/describe.js';
import { ApiResources } from '../api.resources.js';
import { Door } from '../http/door.decorator.js';
import { Operation } from '../openapi/operation.decorator.js';
import { Problem } from '../problems/problem.js';

interface KindSummary {
  readonly kind: string;
  readonly summary: string;
  readonly links: { readonly self: string };
}

@Controller('kinds')
export class KindsController {
  private readonly described = new Map<string, KindDescription>();

  constructor(private readonly resources: ApiResources) {
    for (const [kind, definition] of resources.definitions)
      this.described.set(kind, describeKind(definition));
  }

  @Get()
  @Door('any')
  @Operation('listKinds')
  list(): { items: KindSummary[] } {
    const { publicUrl } = this.resources.settings;
    return {
      items: [...this.described.values()].map(({ kind, summary }) => ({
        kind,
        summary,
        links: { self: `${publicUrl}/kinds/${kind}` },
      })),
    };
  }

  @Get(':kind')
  @Door('any')
  @Operation('getKind')
  read(@Param('kind') kind: string): KindDescription {
    const description = this.described.get(kind);
    if (description) return description;
    throw new Problem('kind_not_found', `There are: ${[...this.described.keys()].join(', ')}.`);
  }
}
