/** The validation pipe: a zod schema for a query or the parameters, answered with every error at once. */
import { Injectable, type PipeTransform } from '@nestjs/common';
import type { z } from 'zod';
import { Problem } from '../problems/problem.js';
import { check, distinct } from './validate.js';

@Injectable()
export class ZodPipe<S extends z.ZodType> implements PipeTransform<unknown, z.output<S>> {
  constructor(private readonly schema: S) {}

  transform(value: unknown): z.output<S> {
    const checked = check(this.schema, value);
    if (checked.ok) return checked.value;
    throw new Problem('validation_failed', 'The query has values that are not allowed.', {
      errors: distinct(checked.errors),
    });
  }
}
