/** /problems/{code}: what a problem's `type` leads to. */
import { Controller, Get, Param } from '@nestjs/common';
import { Door } from '../http/door.decorator.js';
import { Operation } from '../openapi/operation.decorator.js';
import { Problem } from './problem.js';
import { isProblemCode, problemTable, type ProblemKind } from './problem.table.js';

@Controller('problems')
export class ProblemsController {
  @Get(':code')
  @Door('public')
  @Operation('getProblem')
  read(@Param('code') code: string): ProblemKind & { code: string } {
    if (isProblemCode(code)) return { code, ...problemTable[code] };
    throw new Problem('problem_not_found', 'There is no such error code.');
  }
}
