/** /healthz: this process lives. /readyz: it can take work, which needs the database and nothing else. */
import { Controller, Get } from '@nestjs/common';
import { queryWithin } from '../../../libs/store/timed-query.js';
import { ApiResources } from '../api.resources.js';
import { Door } from '../http/door.decorator.js';
import { Operation } from '../openapi/operation.decorator.js';

const DATABASE_TIMEOUT_MS = 2_000;

@Controller()
export class HealthController {
  constructor(private readonly resources: ApiResources) {}

  @Get('healthz')
  @Door('public')
  @Operation('getHealth')
  health(): { status: 'ok' } {
    return { status: 'ok' };
  }

  /** Throws what the filter answers with 503 while the database is away. The engine is told, not required. */
  @Get('readyz')
  @Door('public')
  @Operation('getReadiness')
  async readiness(): Promise<{ status: 'ready'; database: 'up'; engine: 'up' | 'down' }> {
    const [engineUp] = await Promise.all([
      this.resources.engine.isUp(),
      queryWithin(this.resources.database, DATABASE_TIMEOUT_MS, { text: 'select 1' }),
    ]);
    return { status: 'ready', database: 'up', engine: engineUp ? 'up' : 'down' };
  }
}
