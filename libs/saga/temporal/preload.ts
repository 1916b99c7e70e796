/**
 * What the sandbox evaluates once and shares among all workflows (`preloadModules`): the engine and zod, which keep no
 * state of a workflow. The SDK freezes whatever these modules export.
 */
import { z } from 'zod';

export * from './workflow.js';

// zod settles its defaults with the first container it makes; frozen, it could not.
z.object({ text: z.array(z.string()) }).safeParse({ text: [''] });

// zod's patterns are used from their beginning each time, by writing to them. What is sealed here is not frozen there.
Object.preventExtensions(z.regexes);
