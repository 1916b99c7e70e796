/** The operators' and admins' prefixes, guarded before there is anything behind them: 401, 403, then 404. */
import { All, Controller } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Door } from '../http/door.decorator.js';
import { Problem } from '../problems/problem.js';

const ADMIN = ['tenants', 'keys', 'audit'];
const OPERATOR = ['queues', 'downstreams'];
/** Under prefixes that answer already, or that clients or admins may otherwise use. */
const SINGLE = [
  'dead-letters/groups',
  'dead-letters/redrive',
  'dead-letters/:id/purge',
  'kinds/:kind/pause',
  'kinds/:kind/resume',
  'tenants/:id/pause',
  'tenants/:id/resume',
];

function withAllBelow(prefixes: readonly string[]): string[] {
  return prefixes.flatMap((prefix) => [prefix, `${prefix}/*`]);
}

@ApiExcludeController()
@Controller()
export class GuardedController {
  @All([...withAllBelow(OPERATOR), ...SINGLE])
  @Door('operator', { hidden: true })
  operators(): never {
    throw notYet();
  }

  @All(withAllBelow(ADMIN))
  @Door('admin', { hidden: true })
  admins(): never {
    throw notYet();
  }
}

function notYet(): Problem {
  return new Problem('route_not_found', 'There is nothing here in this version.');
}
